import type { BodyReader } from './body-reader.js';
import { BoundedStore } from './bounded-store.js';
import { CARRY_LIMIT } from './event-scanner.js';
import { JsonCursor } from './json-cursor.js';
import type { Reader } from './reader.js';
import type { StreamReader } from './stream-reader.js';

/**
 * Reads what begins with an object while nothing says whether it is one JSON text or lines of JSON: lines have a whole object in the
 * first line and another one after it. Until that is known the first line waits, and counts at the time at which it was whole.
 */
export class ObjectReader implements Reader {
  readonly #line = new BoundedStore(CARRY_LIMIT);
  /** Bytes in the line. */
  #length = 0;
  #lineAt: number | undefined;
  #chosen: Reader | undefined;

  constructor(private readonly body: BodyReader, private readonly lines: StreamReader) {}

  get held(): number {
    return this.#line.capacity + this.body.held + this.lines.held;
  }

  /** Lines of JSON have been found. */
  get isStream(): boolean {
    return this.#chosen === this.lines;
  }

  push(text: string, isBytes: boolean, nowMs: number): void {
    if (this.#chosen !== undefined) return this.#chosen.push(text, isBytes, nowMs);
    const rest = this.#lineAt === undefined ? this.#toLine(text, isBytes, nowMs) : text;
    if (rest !== '') this.#decide(rest, isBytes, nowMs);
  }

  end(nowMs: number): void {
    if (this.#chosen === undefined) this.#choose(this.body, nowMs);
    this.#chosen?.end(nowMs);
  }

  flush(): void {
    this.lines.flush();
  }

  /** Adds what belongs to the first line, and gives what comes after it. */
  #toLine(text: string, isBytes: boolean, nowMs: number): string {
    const lf = text.indexOf('\n');
    const end = lf === -1 ? text.length : lf + 1;
    const line = text.slice(0, end);
    this.#length += isBytes ? end : Buffer.byteLength(line);
    if (this.#length > CARRY_LIMIT) {
      this.#choose(this.body, nowMs).push(text, isBytes, nowMs);
      return '';
    }
    this.#line.append(line, isBytes);
    if (lf !== -1) this.#lineAt = nowMs;
    return text.slice(end);
  }

  #decide(rest: string, isBytes: boolean, nowMs: number): void {
    const next = rest.search(/[^ \t\r\n]/);
    if (next === -1) return;
    const first = this.#line.take() ?? '';
    const chosen = rest[next] === '{' && isWhole(first) ? this.lines : this.body;
    this.#chosen = chosen;
    chosen.push(first, true, this.#lineAt ?? nowMs);
    chosen.push(rest, isBytes, nowMs);
  }

  #choose(reader: Reader, nowMs: number): Reader {
    this.#chosen = reader;
    reader.push(this.#line.take() ?? '', true, nowMs);
    return reader;
  }
}

function isWhole(line: string): boolean {
  const cursor = new JsonCursor(line);
  cursor.next();
  cursor.skip();
  return cursor.at !== -1 && /^[ \t\r\n]*$/.test(line.slice(cursor.at));
}
