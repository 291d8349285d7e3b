import { jsonText } from '../../src/protocol/index.js';
import type { Random } from './random.js';

const NUMBERS = [0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0xffffn, 0x7fff_ffffn, 0xffff_ffffn, 0x1f_ffff_ffff_ffffn, 0xffff_ffff_ffff_ffffn];
const WIDTHS = [1, 2, 4, 8] as const;

/** Bytes with one to three changes: a bit, a number (as lengths are), a cut, a part left out, repeated, moved or put in. */
export function mutateBytes(random: Random, bytes: Buffer, words: readonly string[] = []): Buffer {
  let changed = bytes;
  for (let changes = 1 + random.below(3); changes > 0; changes -= 1) changed = mutateOnce(random, changed, words);
  return changed;
}

function mutateOnce(random: Random, bytes: Buffer, words: readonly string[]): Buffer {
  const at = random.below(bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + random.below(random.once(4) ? bytes.length + 1 : 16));
  const part = bytes.subarray(at, end);
  const replaced = (...inside: readonly Uint8Array[]): Buffer => Buffer.concat([bytes.subarray(0, at), ...inside, bytes.subarray(end)]);
  switch (random.below(8)) {
    case 0: return replaced(Buffer.from(part.map((byte, index) => (index === 0 ? byte ^ (1 << random.below(8)) : byte))));
    case 1: return writeNumber(random, bytes, at);
    case 2: return bytes.subarray(0, at);
    case 3: return replaced();
    case 4: return replaced(...Array.from({ length: random.once(8) ? 40 : 2 }, () => part));
    case 5: return Buffer.concat([part, bytes.subarray(0, at), bytes.subarray(end)]);
    case 6: return replaced(part, words.length === 0 ? Buffer.from([random.below(256)]) : Buffer.from(random.pick(words), 'latin1'));
    default: return replaced(Buffer.from(Array.from({ length: random.below(9) }, () => random.below(256))));
  }
}

function writeNumber(random: Random, bytes: Buffer, at: number): Buffer {
  const width = random.pick(WIDTHS);
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(random.once(3) ? BigInt(Math.max(0, bytes.length - at + random.below(5) - 2)) : random.pick(NUMBERS));
  return Buffer.concat([bytes.subarray(0, at), number.subarray(8 - width), bytes.subarray(at + width)]);
}

/** A list with one item left out, repeated or moved. */
export function mutateList<T>(random: Random, items: readonly T[]): T[] {
  const changed = [...items];
  const [item] = changed.splice(random.below(changed.length), random.below(3) === 0 ? 0 : 1);
  if (item !== undefined && !random.once(3)) changed.splice(random.below(changed.length + 1), 0, item);
  return changed;
}

const VALUES: readonly unknown[] = [
  null, true, false, 0, -1, 1.5, 1e308, -0, 2 ** 53, 18_446_744_073_709_551_615n, -9_223_372_036_854_775_808n, '', 'x', '\ud800', '\u0000', '☃', 'x'.repeat(300), '18446744073709551615',
  [], {}, [[[[[[[[]]]]]]]], { a: { a: { a: { a: {} } } } },
];
const NAMES = ['', '__proto__', 'constructor', 'toString', 'toJSON', 'length', '0', '\u2028'];

/** A JSON value with one change somewhere inside it. */
export function mutateJson(random: Random, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || random.once(6)) return random.once(8) ? [value] : random.pick(VALUES);
  if (Array.isArray(value)) {
    if (value.length === 0 || random.once(4)) return mutateList(random, [...(value as unknown[]), random.pick(VALUES)]);
    const at = random.below(value.length);
    return (value as unknown[]).map((item, index) => (index === at ? mutateJson(random, item) : item));
  }
  return mutateObject(random, Object.entries(value));
}

function mutateObject(random: Random, entries: readonly (readonly [string, unknown])[]): object {
  const at = random.below(entries.length);
  switch (random.below(6)) {
    case 0: return Object.fromEntries(entries.filter((_, index) => index !== at));
    case 1: return Object.fromEntries([...entries, [random.pick(NAMES), random.pick(VALUES)]]);
    case 2: return Object.fromEntries(entries.map(([name], index) => [name, entries[(index + 1) % entries.length]?.[1]]));
    default: return Object.fromEntries(entries.map(([name, value], index) => [name, index === at ? mutateJson(random, value) : value]));
  }
}

const JSON_WORDS = ['{', '}', '[', ']', '"', ',', ':', '\\', '\\u', '\\ud800', 'null', 'NaN', '1e999', '12345678901234567890', '.1234567890123456', ' ', '\ufeff', '\n'];

/** JSON bytes with changes in the value, and now and then in the text. */
export function mutatedJson(random: Random, value: unknown): Buffer {
  let changed = value;
  for (let changes = random.below(4); changes > 0; changes -= 1) changed = mutateJson(random, changed);
  const bytes = Buffer.from(jsonText(changed));
  return random.once(3) ? mutateBytes(random, bytes, JSON_WORDS) : bytes;
}

/** `bytes` in pieces: byte by byte when they are few, else cut at a few places. */
export function inPieces(random: Random, bytes: Buffer): Buffer[] {
  if (bytes.length <= 64 && random.once(2)) return Array.from(bytes, (_, at) => bytes.subarray(at, at + 1));
  const cuts = Array.from({ length: 1 + random.below(8) }, () => random.below(bytes.length + 1)).sort((a, b) => a - b);
  return [...cuts, bytes.length].map((end, index) => bytes.subarray(cuts[index - 1] ?? 0, end));
}
