import { BoundedStore } from './bounded-store.js';
import { CARRY_LIMIT, type EventSink } from './event-scanner.js';

/** Splits lines of JSON, cut anywhere, into events without a name: what `toReadableStream()` of the official clients makes. */
export class LineScanner {
  readonly #carry = new BoundedStore(CARRY_LIMIT);

  constructor(private readonly sink: EventSink) {}

  /** Bytes held for a cut line. */
  get held(): number {
    return this.#carry.capacity;
  }

  push(text: string, isBytes: boolean): void {
    let from = 0;
    for (let lf = text.indexOf('\n'); lf !== -1; lf = text.indexOf('\n', from)) {
      this.#line(text.slice(from, lf), isBytes);
      from = lf + 1;
    }
    if (from < text.length) this.#carry.append(text.slice(from), isBytes);
  }

  /** The stream has ended: a line that lacks only its end still counts. */
  end(): void {
    this.#line('', true);
  }

  #line(text: string, isBytes: boolean): void {
    if (this.#carry.isEmpty) return this.#emit(text, isBytes);
    this.#carry.append(text, isBytes);
    const whole = this.#carry.take();
    if (whole === undefined) this.sink.longEvent(undefined, this.#carry.takeTruncated());
    else this.#emit(whole, true);
  }

  #emit(line: string, isBytes: boolean): void {
    if (line !== '' && line !== '\r') this.sink.event(undefined, line, isBytes);
  }
}
