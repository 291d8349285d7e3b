import { MSGPACK_MAX_DEPTH } from './limits.js';
import { asBuffer, holdsAscii, utf8Text } from './utf8.js';

/** Strings up to this length are read byte by byte while they are ASCII: cheaper than a call into the runtime. */
const SHORT = 24;
/** Short keys read lately, by length and outer letters. */
const KEYS = new Array<string>(256).fill('');

/**
 * Reads one MessagePack value that fills `bytes`. Why not the library's decoder: it reserves arrays by their declared
 * length (nested headers of a 1 MiB message reserve terabytes), it refuses a key `__proto__`, and it makes every 64-bit
 * integer a BigInt, which would need a second walk. Here integers are numbers unless a number cannot hold them, binary is
 * a view, keys are as JSON.parse leaves them.
 * @throws RangeError or SyntaxError naming the position.
 */
export function decodeMsgpack(bytes: Uint8Array): unknown {
  return new Reader(asBuffer(bytes)).whole();
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  whole(): unknown {
    const value = this.#value(0);
    if (this.#at !== this.#bytes.length) throw new SyntaxError(`${this.#bytes.length - this.#at} bytes after the value`);
    return value;
  }

  #value(depth: number): unknown {
    const head = this.#unsigned(1);
    if (head < 0x80) return head;
    if (head >= 0xe0) return head - 0x100;
    if (head < 0x90) return this.#map(head & 0x0f, depth);
    if (head < 0xa0) return this.#array(head & 0x0f, depth);
    if (head < 0xc0) return this.#string(head & 0x1f);
    return this.#typed(head, depth);
  }

  #typed(head: number, depth: number): unknown {
    switch (head) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: return this.#binary(this.#unsigned(1));
      case 0xc5: return this.#binary(this.#unsigned(2));
      case 0xc6: return this.#binary(this.#unsigned(4));
      case 0xca: return this.#bytes.readFloatBE(this.#advance(4));
      case 0xcb: return this.#bytes.readDoubleBE(this.#advance(8));
      case 0xcc: return this.#unsigned(1);
      case 0xcd: return this.#unsigned(2);
      case 0xce: return this.#unsigned(4);
      case 0xcf: return narrow(this.#bytes.readBigUInt64BE(this.#advance(8)));
      case 0xd0: return this.#bytes.readInt8(this.#advance(1));
      case 0xd1: return this.#bytes.readInt16BE(this.#advance(2));
      case 0xd2: return this.#bytes.readInt32BE(this.#advance(4));
      case 0xd3: return narrow(this.#bytes.readBigInt64BE(this.#advance(8)));
      case 0xd9: return this.#string(this.#unsigned(1));
      case 0xda: return this.#string(this.#unsigned(2));
      case 0xdb: return this.#string(this.#unsigned(4));
      case 0xdc: return this.#array(this.#unsigned(2), depth);
      case 0xdd: return this.#array(this.#unsigned(4), depth);
      case 0xde: return this.#map(this.#unsigned(2), depth);
      case 0xdf: return this.#map(this.#unsigned(4), depth);
      default: throw new SyntaxError(`type byte 0x${head.toString(16)} at ${this.#at - 1} is not supported`);
    }
  }

  /** Moves on by `count` bytes and gives the position before. */
  #advance(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw new RangeError(`${count} bytes needed at ${at}, ${this.#bytes.length - at} there`);
    this.#at = at + count;
    return at;
  }

  #unsigned(width: 1 | 2 | 4): number {
    const at = this.#advance(width);
    if (width === 1) return this.#bytes[at] ?? 0;
    return width === 2 ? this.#bytes.readUInt16BE(at) : this.#bytes.readUInt32BE(at);
  }

  #binary(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  #string(length: number): string {
    const at = this.#advance(length);
    if (length <= SHORT) {
      const text = shortAscii(this.#bytes, at, at + length);
      if (text !== undefined) return text;
    }
    const text = utf8Text(this.#bytes, at, at + length);
    if (text === undefined) throw new SyntaxError(`the string at ${at} is not UTF-8`);
    return text;
  }

  /** Refuses what cannot be there: an element takes at least one byte. Nothing is reserved by the count. */
  #enter(elements: number, depth: number): number {
    if (elements > this.#bytes.length - this.#at) throw new RangeError(`${elements} elements declared at ${this.#at}, too few bytes left`);
    if (depth >= MSGPACK_MAX_DEPTH) throw new RangeError(`nested deeper than ${MSGPACK_MAX_DEPTH}`);
    return depth + 1;
  }

  #array(length: number, depth: number): unknown[] {
    const inner = this.#enter(length, depth);
    const items: unknown[] = [];
    for (let index = 0; index < length; index += 1) items.push(this.#value(inner));
    return items;
  }

  #map(size: number, depth: number): Record<string, unknown> {
    const inner = this.#enter(size * 2, depth);
    const map: Record<string, unknown> = {};
    for (let index = 0; index < size; index += 1) {
      const key = this.#key(inner);
      const value = this.#value(inner);
      if (key === '__proto__') Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
      else map[key] = value;
    }
    return map;
  }

  /** A key as JSON would have it: integer keys of a Rust map become their digits. */
  #key(depth: number): string {
    const head = this.#bytes[this.#at] ?? 0;
    if (head > 0xa0 && head < 0xa0 + SHORT) return this.#shortKey(head & 0x1f);
    const key = this.#value(depth);
    if (typeof key === 'string') return key;
    if (typeof key === 'bigint' || Number.isInteger(key)) return String(key);
    throw new SyntaxError(`the map key before ${this.#at} is neither a string nor an integer`);
  }

  /** A key of 1 to 23 bytes: the same few come again and again, so a small table keeps the last one of each slot. */
  #shortKey(length: number): string {
    this.#at += 1;
    const start = this.#at;
    const last = this.#bytes[start + length - 1] ?? 0;
    const slot = (length * 67 + (this.#bytes[start] ?? 0) * 5 + last) % KEYS.length;
    const known = KEYS[slot];
    if (known?.length === length && holdsAscii(this.#bytes, start, known)) {
      this.#at += length;
      return known;
    }
    return (KEYS[slot] = this.#string(length));
  }
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function shortAscii(bytes: Buffer, start: number, end: number): string | undefined {
  let text = '';
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x80) return undefined;
    text += String.fromCharCode(byte);
  }
  return text;
}
