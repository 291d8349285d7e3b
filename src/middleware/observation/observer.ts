import { reportFault } from '../../internal/index.js';
import { DIALECTS, type Dialect } from '../dialects/index.js';
import { kindByHead, kindByStart, readHead, type BodyHead, type BodyKind } from './body-kind.js';
import { BodyReader } from './body-reader.js';
import { FactCollector, type ResponseFacts } from './facts.js';
import { ObjectReader } from './object-reader.js';
import type { Reader } from './reader.js';
import { StreamReader } from './stream-reader.js';
import { TextReader, TimedReader } from './text-reader.js';

/**
 * Watches one inference response: `head`, every `chunk` as it goes out, `end`. Reads and never changes, keeps no reference to a
 * buffer that it is given, holds at most 64 KiB of a stream and 1 MiB of a unary body, and never throws: a fault of its own is
 * reported once and the response goes unwatched from there.
 */
export class ResponseObserver {
  #dialect: Dialect;
  #facts: FactCollector;
  #head: BodyHead = readHead(DIALECTS.generic, 200, undefined, undefined);
  /** Pieces that wait until it can be told what the body is: undefined once it is. */
  #start: Piece[] | undefined = [];
  #reader: Reader | undefined;
  #isStream = false;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
    this.#facts = new FactCollector(dialect);
  }

  /** Whether the response is a stream of events, of JSON lines or of text, as far as that is known. */
  get streaming(): boolean {
    return this.#isStream || this.#reader?.isStream === true;
  }

  /** Bytes held at this moment for a cut event or an unfinished body. */
  get held(): number {
    return this.#reader?.held ?? 0;
  }

  /**
   * The response head: decides what the body is. Values are those of the headers of the same names, when there are any; `uiMessages`
   * is that of `x-vercel-ai-ui-message-stream`, which tells of the AI SDK whatever the dialect of the route.
   */
  head(status: number, contentType: string | undefined, contentEncoding: string | undefined, uiMessages?: string): void {
    if (uiMessages !== undefined && this.#dialect !== DIALECTS['ai-sdk']) {
      this.#dialect = DIALECTS['ai-sdk'];
      this.#facts = new FactCollector(this.#dialect);
    }
    this.#head = readHead(this.#dialect, status, contentType, contentEncoding);
    this.#isStream = this.#head.type === 'events' || this.#head.type === 'lines';
    const kind = kindByHead(this.#head);
    if (kind !== undefined) this.#enter(kind);
  }

  /** A piece of the body has gone out. `nowMs` is monotonic; `encoding` is that of a string, UTF-8 when absent. */
  chunk(data: string | Uint8Array, encoding: BufferEncoding | undefined, nowMs: number): void {
    if (this.#start === undefined && this.#reader === undefined) return;
    try {
      const isBytes = typeof data !== 'string' || (encoding !== undefined && !isUtf8Name(encoding));
      const text = typeof data === 'string' && !isBytes ? data : byteText(data, encoding);
      if (text === '') return;
      if (this.#start === undefined) this.#reader?.push(text, isBytes, nowMs);
      else this.#sniff(this.#start, { text, isBytes, nowMs });
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** The body has ended, complete or not. */
  end(nowMs: number): void {
    try {
      if (this.#start !== undefined) this.#sniff(this.#start, undefined);
      this.#isStream = this.streaming;
      this.#reader?.end(nowMs);
      this.#reader?.flush?.();
    } catch (error) {
      this.#giveUp(error);
    }
    this.#start = undefined;
    this.#reader = undefined;
  }

  /** What has been seen so far. */
  facts(): ResponseFacts {
    try {
      this.#reader?.flush?.();
    } catch (error) {
      this.#giveUp(error);
    }
    return this.#facts.facts();
  }

  /** The beginning decides: what has come waits until it can, without a last piece until nothing more comes. */
  #sniff(start: Piece[], piece: Piece | undefined): void {
    if (piece !== undefined) start.push(piece);
    const [first] = start;
    if (first === undefined) return;
    const begin = start.length === 1 ? first.text : start.map(({ text }) => text).join('');
    const kind = kindByStart(this.#head, begin, first.isBytes, piece === undefined);
    if (kind === undefined) return;
    this.#enter(kind);
    for (const { text, isBytes, nowMs } of start) this.#reader?.push(text, isBytes, nowMs);
  }

  #enter(kind: BodyKind): void {
    this.#start = undefined;
    this.#isStream ||= kind === 'events' || kind === 'lines';
    this.#reader = this.#readerOf(kind);
  }

  #readerOf(kind: BodyKind): Reader | undefined {
    const dialect = this.#dialect, facts = this.#facts;
    switch (kind) {
      case 'events': case 'lines': return new StreamReader(dialect, facts, kind);
      case 'json': return new BodyReader(dialect, facts, this.#head.failed);
      case 'object': return new ObjectReader(new BodyReader(dialect, facts, false), new StreamReader(dialect, facts, 'lines'));
      case 'text': return new TextReader(facts);
      case 'timed': return new TimedReader(facts);
      case 'unread': return undefined;
    }
  }

  #giveUp(error: unknown): void {
    this.#start = undefined;
    this.#reader = undefined;
    reportFault('response observer', error);
  }
}

/** A piece of a body as it went out. */
interface Piece {
  readonly text: string;
  readonly isBytes: boolean;
  readonly nowMs: number;
}

function isUtf8Name(encoding: string): boolean {
  return encoding === 'utf8' || encoding === 'utf-8' || /^utf-?8$/i.test(encoding);
}

/** One character for each byte: such text can be cut anywhere and searched as fast as bytes in C. */
function byteText(data: string | Uint8Array, encoding: BufferEncoding | undefined): string {
  if (typeof data === 'string') return Buffer.from(data, encoding).toString('latin1');
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return bytes.toString('latin1');
}
