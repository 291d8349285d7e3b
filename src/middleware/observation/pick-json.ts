import type { Field, Shape } from '../dialects/index.js';
import { JsonCursor } from './json-cursor.js';

/** Values found at the places that a shape names. */
export type Found = Partial<Record<Field, unknown>>;

/** A value longer than this, in characters, is passed over: ids, reasons, usage and error texts are far shorter. */
const MAX_VALUE_LENGTH = 64 * 1024;

/**
 * Picks the wanted values out of JSON text and jumps over everything else: strings by a search for their end, so that a long
 * completion costs next to nothing. Tolerant: text that is cut or broken gives what stands before the break. `isBytes` says
 * that each character stands for one byte of UTF-8. Of several values for one meaning the first that is not null counts,
 * for usage the last.
 */
export function pickJson(text: string, shape: Shape, isBytes: boolean): Found {
  const picker = new Picker(text, isBytes);
  picker.readRoot(shape);
  return picker.found;
}

/** The value that begins at `at`, undefined when it is cut, broken or too long. */
export function valueAt(text: string, at: number, isBytes: boolean): unknown {
  return new Picker(text, isBytes, at).value();
}

const QUOTE = 0x22, COLON = 0x3a, ARRAY = 0x5b, ARRAY_END = 0x5d, OBJECT = 0x7b, OBJECT_END = 0x7d;

class Picker {
  readonly found: Found = {};

  readonly #cursor: JsonCursor;

  constructor(text: string, private readonly isBytes: boolean, at = 0) {
    this.#cursor = new JsonCursor(text, at);
  }

  readRoot(shape: Shape): void {
    if (this.#cursor.next() === OBJECT) this.#object(shape);
  }

  value(): unknown {
    this.#cursor.next();
    const start = this.#cursor.at;
    this.#cursor.skip();
    return this.#cursor.at === -1 || this.#cursor.at - start > MAX_VALUE_LENGTH ? undefined : this.#decode(this.#cursor.text.slice(start, this.#cursor.at));
  }

  #object(shape: Shape): void {
    this.#cursor.at += 1;
    for (let code = this.#cursor.next(); code === QUOTE; code = this.#cursor.afterComma()) {
      const start = this.#cursor.at + 1;
      this.#cursor.skipString();
      if (this.#cursor.at === -1) return;
      const key = matchingKey(shape, this.#cursor.text, start, this.#cursor.at - 1 - start);
      if (this.#cursor.next() !== COLON) return this.#cursor.giveUp();
      this.#cursor.at += 1;
      if (key === undefined) this.#cursor.skip();
      else this.#take(shape[key] as Shape[string]);
      if (this.#cursor.at === -1) return;
    }
    if (this.#cursor.next() === OBJECT_END) this.#cursor.at += 1;
    else this.#cursor.giveUp();
  }

  #take(wanted: Shape[string]): void {
    const code = this.#cursor.next();
    if (typeof wanted === 'string') this.#keep(wanted, this.value());
    else if (isArrayShape(wanted) && code === ARRAY) this.#array(wanted[0]);
    else if (!isArrayShape(wanted) && code === OBJECT) this.#object(wanted);
    else this.#cursor.skip();
  }

  #array(shape: Shape): void {
    this.#cursor.at += 1;
    for (let code = this.#cursor.next(); code !== ARRAY_END; code = this.#cursor.afterComma()) {
      if (code === OBJECT) this.#object(shape);
      else this.#cursor.skip();
      if (this.#cursor.at === -1) return;
    }
    this.#cursor.at += 1;
  }

  #keep(field: Field, value: unknown): void {
    if (value === undefined || value === null) return;
    if (field === 'usage' || this.found[field] === undefined) this.found[field] = value;
  }

  #decode(json: string): unknown {
    // A u64 id is kept as text: a number cannot hold it.
    if (/^\d{16,20}$/.test(json) && !Number.isSafeInteger(Number(json))) return json;
    try {
      return JSON.parse(this.isBytes ? utf8OfBytes(json) : json) as unknown;
    } catch {
      return undefined;
    }
  }
}

/** Text whose characters stand for bytes, decoded as UTF-8. */
export function utf8OfBytes(text: string): string {
  // eslint-disable-next-line no-control-regex -- ASCII is what needs no decoding
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'latin1').toString('utf8');
}

/** A loop over few keys, lengths first: cheaper than making a string of every key in the text to look it up. */
function matchingKey(shape: Shape, text: string, start: number, length: number): string | undefined {
  for (const key in shape) if (key.length === length && text.startsWith(key, start)) return key;
  return undefined;
}

function isArrayShape(wanted: Shape | readonly [Shape]): wanted is readonly [Shape] {
  return Array.isArray(wanted);
}
