import { toUSVString } from 'node:util';
import { Encoder } from '@msgpack/msgpack';
import { MSGPACK_MAX_DEPTH } from './limits.js';
import { checkWire } from './wire-integer.js';

/** Above this many bytes the encoder is replaced after use, so that one large message does not hold memory for ever. */
const KEEP_BUFFER = 65_536;

let shared: Encoder | undefined;

/**
 * Writes `value` as MessagePack with the meaning its JSON has: toJSON honoured, undefined and functions left out, named
 * maps; BigInts and whole numbers as integers, bytes as binary.
 * @throws RangeError for a BigInt that fits neither u64 nor i64 and for nesting beyond 1024 (cycles).
 */
export function encodeMsgpack(value: unknown): Uint8Array {
  const encoder = (shared ??= new Encoder({ useBigInt64: true, ignoreUndefined: true, maxDepth: MSGPACK_MAX_DEPTH + 1 }));
  const bytes = encoder.encode(prepare(value, 0));
  if (bytes.length > KEEP_BUFFER) shared = undefined;
  return bytes;
}

/**
 * `value` as the encoder can write it without loss; the same object when nothing had to change. The encoder writes
 * numbers from 2^32 on as floats, which a strict u64 reader refuses, wraps BigInts that are too wide, throws on functions,
 * writes lone surrogates as invalid UTF-8 and dates as an extension type nobody expects.
 */
function prepare(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string': return toUSVString(value);
    case 'number': return value > 0xffff_ffff || value < -0x8000_0000 ? wideInteger(value) : value;
    case 'bigint': return checkWire(value);
    case 'object': return value === null ? null : prepareObject(value, depth);
    case 'boolean': return value;
    default: return undefined;
  }
}

function wideInteger(value: number): number | bigint {
  return Number.isSafeInteger(value) ? BigInt(value) : value;
}

function prepareObject(value: object, depth: number): unknown {
  if (depth >= MSGPACK_MAX_DEPTH) throw new RangeError(`nested deeper than ${MSGPACK_MAX_DEPTH}`);
  if (ArrayBuffer.isView(value)) return value; // before toJSON: a Buffer has one
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return prepare(toJSON.call(value, ''), depth + 1);
  if (Array.isArray(value)) return prepareArray(value, depth);
  if (value instanceof Number || value instanceof String || value instanceof Boolean) return prepare(value.valueOf(), depth);
  return prepareMap(value as Record<string, unknown>, depth);
}

function prepareArray(items: readonly unknown[], depth: number): readonly unknown[] {
  let copy: unknown[] | undefined;
  for (let index = 0; index < items.length; index += 1) {
    const before = items[index];
    const after = prepare(before, depth + 1);
    if (after !== before) (copy ??= items.slice())[index] = after;
  }
  return copy ?? items;
}

function prepareMap(map: Record<string, unknown>, depth: number): Record<string, unknown> {
  const keys = Object.keys(map);
  const values = keys.map((key) => prepare(map[key], depth + 1));
  if (keys.every((key, index) => values[index] === map[key] && toUSVString(key) === key)) return map;
  // fromEntries defines properties, so a key `__proto__` stays an entry.
  return Object.fromEntries(keys.map((key, index) => [toUSVString(key), values[index]]));
}
