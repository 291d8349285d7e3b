import type { Dialect } from '../dialects/index.js';
import { EventReader } from './event-reader.js';
import { EventScanner } from './event-scanner.js';
import type { FactCollector } from './facts.js';
import { LineScanner } from './line-scanner.js';
import type { Reader } from './reader.js';

/** Reads a stream of events: an event stream (SSE), or lines of JSON. */
export class StreamReader implements Reader {
  readonly #events: EventReader;
  readonly #scanner: EventScanner | LineScanner;

  constructor(dialect: Dialect, facts: FactCollector, form: 'events' | 'lines') {
    this.#events = new EventReader(dialect, facts);
    this.#scanner = form === 'events' ? new EventScanner(this.#events) : new LineScanner(this.#events);
  }

  get held(): number {
    return this.#scanner.held;
  }

  push(text: string, isBytes: boolean, nowMs: number): void {
    this.#events.begin(nowMs, text.length);
    this.#scanner.push(text, isBytes);
  }

  end(nowMs: number): void {
    this.#events.begin(nowMs, 0);
    this.#scanner.end();
  }

  flush(): void {
    this.#events.flush();
  }
}
