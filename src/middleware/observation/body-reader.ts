import type { Dialect } from '../dialects/index.js';
import { BoundedStore } from './bounded-store.js';
import type { FactCollector } from './facts.js';
import { pickJson } from './pick-json.js';
import type { Reader } from './reader.js';
import { readTail } from './truncated.js';

/** Most bytes of a unary body that are kept. A longer one is read only at its beginning (4 KiB) and its end (15 KiB). */
export const BODY_LIMIT = 1024 * 1024;
const HEAD_LENGTH = 4096;
const TAIL_LENGTH = 16 * 1024;

/** Reads a unary JSON body when it is complete. A body that comes in one piece, as from `res.json`, is read without a copy. */
export class BodyReader implements Reader {
  #single: string | undefined;
  #isBytes = false;
  #store: BoundedStore | undefined;

  constructor(private readonly dialect: Dialect, private readonly facts: FactCollector, private readonly failed: boolean) {}

  /** Bytes held. */
  get held(): number {
    return (this.#single?.length ?? 0) + (this.#store?.capacity ?? 0);
  }

  push(text: string, isBytes: boolean): void {
    if (text === '') return;
    if (this.#single === undefined && this.#store === undefined) {
      this.#single = text;
      this.#isBytes = isBytes;
      return;
    }
    const store = (this.#store ??= new BoundedStore(BODY_LIMIT));
    if (this.#single !== undefined) store.append(this.#single, this.#isBytes);
    this.#single = undefined;
    store.append(text, isBytes);
  }

  end(): void {
    if (this.#single !== undefined) this.#readSingle(this.#single, this.#isBytes);
    else if (this.#store !== undefined) this.#readStored(this.#store);
    this.#single = undefined;
    this.#store = undefined;
  }

  #readSingle(text: string, isBytes: boolean): void {
    if (text.length > BODY_LIMIT) this.#readLong(text.slice(0, HEAD_LENGTH), text.slice(-TAIL_LENGTH), isBytes);
    else this.#read(text, isBytes);
  }

  #readStored(store: BoundedStore): void {
    const text = store.take();
    if (text !== undefined) return this.#read(text, true);
    const { head, tail } = store.takeTruncated();
    this.#readLong(head, tail, true);
  }

  #read(text: string, isBytes: boolean): void {
    const found = pickJson(text, this.dialect.body, isBytes);
    this.facts.add(found, this.failed);
    if (!this.failed) this.facts.unaryRead();
  }

  #readLong(head: string, tail: string, isBytes: boolean): void {
    this.#read(head, isBytes);
    this.facts.add(readTail(tail, isBytes), false);
  }
}
