import type { Dialect } from '../dialects/index.js';
import { BoundedStore } from './bounded-store.js';
import type { FactCollector } from './facts.js';
import { pickJson } from './pick-json.js';
import type { Reader } from './reader.js';
import { readTail } from './truncated.js';

/** Most bytes of a unary body that are kept. A longer one is read only at its beginning (4 KiB) and its end (15 KiB). */
export const BODY_LIMIT = 1024 * 1024;

/** Reads a unary JSON body when it is complete. A body that comes in one piece within the limit, as from `res.json`, is read without a copy. */
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
    if (this.#single === undefined && this.#store === undefined && text.length <= BODY_LIMIT) {
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
    if (this.#single !== undefined) this.#read(this.#single, this.#isBytes);
    else if (this.#store !== undefined) this.#readStored(this.#store);
    this.#single = undefined;
    this.#store = undefined;
  }

  #readStored(store: BoundedStore): void {
    const text = store.take();
    if (text !== undefined) return this.#read(text, true);
    const { head, tail } = store.takeTruncated();
    this.#read(head, true);
    this.facts.add(readTail(tail, true), false);
  }

  #read(text: string, isBytes: boolean): void {
    const found = pickJson(text, this.dialect.body, isBytes);
    this.facts.add(found, this.failed);
    if (!this.failed) this.facts.unaryRead();
  }
}
