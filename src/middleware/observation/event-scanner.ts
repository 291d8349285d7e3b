import { BoundedStore, type Truncated } from './bounded-store.js';

/** Gets the events of a stream. `isBytes` says that each character of the data stands for a byte of UTF-8. */
export interface EventSink {
  /** `name` is the `event` field; `data` the `data` lines, joined by line feeds. */
  event(name: string | undefined, data: string, isBytes: boolean): void;
  /** An event that came in pieces and is longer than the carry-over: beginning and end of its data, one character for each byte. */
  longEvent(name: string | undefined, data: Truncated): void;
}

/** Most bytes that wait for the rest of their event. */
export const CARRY_LIMIT = 64 * 1024;
/** A text up to this length may be kept alive by the beginning of a cut event: dearer than a copy only in memory. */
const SMALL = 4096;
const LF = 0x0a;

/**
 * Splits an event stream, cut anywhere, into events. Whole events in a piece are handed on as slices, nothing is copied. What
 * is cut waits for its blank line: one small piece as it is (a cut event is mostly cut once), more of them as raw bytes in the
 * carry-over. Lines end in LF, CR or CRLF.
 */
export class EventScanner {
  readonly #carry = new BoundedStore(CARRY_LIMIT);
  #piece = '';
  #pieceIsBytes = false;
  /** The current line has characters before this piece. */
  #midLine = false;
  /** The last piece ended in CR: an LF that follows belongs to it. */
  #afterCr = false;
  #started = false;
  /** Where the fields of the current event are in this piece, as long as all of it is here; -1 for one that has not come. */
  #data = -1;
  #dataEnd = -1;
  #name = -1;
  #nameEnd = -1;
  /** The current event has more than one data line. */
  #isSpread = false;

  constructor(private readonly sink: EventSink) {}

  /** Bytes held for a cut event. */
  get held(): number {
    return this.#piece.length + this.#carry.capacity;
  }

  push(text: string, isBytes: boolean): void {
    if (text === '') return;
    let from = this.#afterCr && text.charCodeAt(0) === LF ? 1 : 0;
    this.#afterCr = false;
    let line = from;
    let lf = text.indexOf('\n', from);
    let cr = text.indexOf('\r', from);
    while (lf !== -1 || cr !== -1) {
      const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr;
      const next = end === cr && lf === end + 1 ? end + 2 : end + 1;
      if (end === cr && next === text.length && lf !== end + 1) this.#afterCr = true;
      if (this.#midLine) {
        this.#midLine = false;
      } else if (end > line) {
        this.#note(text, line, end);
      } else {
        this.#complete(text, from, line, isBytes);
        from = next;
      }
      line = next;
      if (lf !== -1 && lf < next) lf = text.indexOf('\n', next);
      if (cr !== -1 && cr < next) cr = text.indexOf('\r', next);
    }
    if (line < text.length) this.#midLine = true;
    this.#forget();
    if (from < text.length) this.#keep(text.slice(from), isBytes, text.length <= SMALL);
  }

  /** The stream has ended: an event that lacks only its blank line still counts. */
  end(): void {
    this.#storePiece();
    if (!this.#carry.isEmpty) this.#completeCarried();
  }

  #keep(rest: string, isBytes: boolean, isSmall: boolean): void {
    if (isSmall && this.#piece === '' && this.#carry.isEmpty) {
      this.#piece = rest;
      this.#pieceIsBytes = isBytes;
      return;
    }
    this.#storePiece();
    this.#carry.append(rest, isBytes);
  }

  #storePiece(): void {
    if (this.#piece !== '') this.#carry.append(this.#piece, this.#pieceIsBytes);
    this.#piece = '';
  }

  /** Takes note of a line that is whole. */
  #note(text: string, start: number, end: number): void {
    if (text.startsWith('data:', start)) {
      if (this.#data !== -1) this.#isSpread = true;
      this.#data = start + 5;
      this.#dataEnd = end;
    } else if (text.startsWith('event:', start)) {
      this.#name = start + 6;
      this.#nameEnd = end;
    }
  }

  #forget(): void {
    this.#data = -1;
    this.#name = -1;
    this.#isSpread = false;
  }

  /** The event ends at `to`, before its blank line. */
  #complete(text: string, from: number, to: number, isBytes: boolean): void {
    if (this.#piece !== '' && this.#pieceIsBytes !== isBytes) this.#storePiece();
    if (this.#piece !== '') {
      const whole = this.#piece + text.slice(from, to);
      this.#piece = '';
      this.#emitFields(whole, isBytes);
    } else if (!this.#carry.isEmpty) {
      if (to > from) this.#carry.append(text.slice(from, to), isBytes);
      this.#completeCarried();
    } else if (this.#isSpread || !this.#started) {
      this.#emitFields(text.slice(from, to), isBytes);
    } else if (this.#data !== -1 || this.#name !== -1) {
      const name = this.#name === -1 ? undefined : fieldValue(text, this.#name, this.#nameEnd);
      this.sink.event(name, this.#data === -1 ? '' : fieldValue(text, this.#data, this.#dataEnd), isBytes);
    }
    this.#forget();
  }

  #completeCarried(): void {
    const text = this.#carry.take();
    if (text === undefined) this.#emitLong(this.#carry.takeTruncated());
    else this.#emitFields(text, true);
    this.#started = true;
  }

  #emitLong({ head, tail }: Truncated): void {
    const name = /^event: ?(.*)$/m.exec(head)?.[1]?.trim();
    const start = head.indexOf('data:');
    this.sink.longEvent(name, { head: start === -1 ? '' : head.slice(start + 5), tail });
  }

  /** Reads the fields of an event that was put together, of the first one (it may begin with a mark), or with many data lines. */
  #emitFields(event: string, isBytes: boolean): void {
    let name: string | undefined;
    let data: string | undefined;
    let lf = event.indexOf('\n');
    let cr = event.indexOf('\r');
    for (let start = this.#started ? 0 : byteOrderMark(event); start < event.length;) {
      const end = Math.min(lf === -1 ? event.length : lf, cr === -1 ? event.length : cr);
      if (event.startsWith('data:', start)) {
        const value = fieldValue(event, start + 5, end);
        data = data === undefined ? value : `${data}\n${value}`;
      } else if (event.startsWith('event:', start)) {
        name = fieldValue(event, start + 6, end);
      }
      start = end + 1;
      if (lf !== -1 && lf < start) lf = event.indexOf('\n', start);
      if (cr !== -1 && cr < start) cr = event.indexOf('\r', start);
    }
    this.#started = true;
    if (name !== undefined || data !== undefined) this.sink.event(name, data ?? '', isBytes);
  }
}

/** A field's value: one space after the colon is not part of it. */
function fieldValue(text: string, start: number, end: number): string {
  return text.slice(text.charCodeAt(start) === 0x20 ? start + 1 : start, end);
}

/** Length of a byte order mark at the beginning, in either form of text. */
function byteOrderMark(text: string): number {
  if (text.startsWith('\ufeff')) return 1;
  return text.startsWith('\u00ef\u00bb\u00bf') ? 3 : 0;
}
