import { MAX_U32, MSGPACK_MAX_DEPTH } from './limits.js';
import { plainValue } from './plain-value.js';
import { checkWire } from './wire-integer.js';

/** Bytes of the buffer that every message is written in. What a larger message needs is let go after it. */
const KEPT = 65_536;
/** Strings below this length are written byte by byte while they are ASCII: cheaper than calls into the runtime. */
const SHORT = 64;

let bytes = Buffer.allocUnsafeSlow(KEPT);
let view = new DataView(bytes.buffer);
let at = 0;

/**
 * Writes `value` as MessagePack with the meaning its JSON has: toJSON honoured, undefined and functions left out, named
 * maps, lone surrogates as U+FFFD; BigInts and whole numbers as integers, bytes as binary, NaN and infinities as floats.
 * @throws TypeError for a value without a form and for a cycle; RangeError for a BigInt that fits neither u64 nor i64, for
 * nesting beyond 1024 and for 4 GiB; what a getter or toJSON throws.
 */
export function encodeMsgpack(value: unknown): Buffer {
  const start = at; // not 0 where a getter or toJSON in another message encodes this one
  try {
    const plain = plainOrBytes(value, '');
    if (plain === undefined) throw new TypeError(`a ${typeof value} has no msgpack form`);
    write(plain, []);
    return Buffer.from(bytes.subarray(start, at));
  } finally {
    at = start;
    if (at === 0 && bytes.length > KEPT) resize(KEPT);
  }
}

/** Bytes stay bytes, though a Buffer has a toJSON. */
const plainOrBytes = (value: unknown, key: string | number): unknown => (ArrayBuffer.isView(value) ? value : plainValue(value, key));

/** `around` holds the arrays and maps that `value` is in, the outermost first. */
function write(value: unknown, around: object[]): void {
  room(SHORT + 1);
  if (typeof value === 'string') writeString(value);
  else if (typeof value === 'number' || typeof value === 'bigint') writeNumber(value);
  else if (ArrayBuffer.isView(value)) writeBinary(value);
  else if (typeof value === 'object' && value !== null) writeObject(value, around);
  else bytes[at++] = value === true ? 0xc3 : value === false ? 0xc2 : 0xc0;
}

/** Makes sure that `count` more bytes fit. 4 GiB is the most that a payload can have, so every length fits four bytes. */
function room(count: number): void {
  if (at + count > MAX_U32) throw new RangeError('the message is larger than 4 GiB');
  if (at + count > bytes.length) resize(Math.min((at + count) * 2, MAX_U32));
}

function resize(size: number): void {
  const before = bytes;
  bytes = Buffer.allocUnsafeSlow(size);
  view = new DataView(bytes.buffer);
  before.copy(bytes, 0, 0, at);
}

/** Writes a type and leaves `width` bytes for what follows; returns where they begin. */
function writeType(type: number, width: number): number {
  bytes[at] = type;
  at += 1 + width;
  return at - width;
}

function writeNumber(value: number | bigint): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) view.setFloat64(writeType(0xcb, 8), value);
  else if (typeof value === 'bigint' || value > MAX_U32 || value < -0x8000_0000) view.setBigUint64(writeType(value < 0 ? 0xd3 : 0xcf, 8), checkWire(BigInt(value)));
  else if (value >= -0x20 && value < 0x80) bytes[at++] = value;
  else if (value < 0) writeSized(0xd0, value, -2 * value - 1);
  else writeSized(0xcc, value);
}

/** An integer in 1, 2 or 4 bytes, as `reach` needs them: `type` is that of one byte, the types of two and four follow it. */
function writeSized(type: number, value: number, reach = value): void {
  if (reach <= 0xff) bytes[writeType(type, 1)] = value;
  else if (reach <= 0xffff) view.setUint16(writeType(type + 1, 2), value);
  else view.setUint32(writeType(type + 2, 4), value);
}

function writeString(text: string): void {
  const { length } = text;
  const start = at + (length < 0x20 ? 1 : 2);
  let ascii = 0;
  if (length < SHORT) for (let unit: number; ascii < length && (unit = text.charCodeAt(ascii)) < 0x80; ascii += 1) bytes[start + ascii] = unit;
  const size = ascii === length ? length : Buffer.byteLength(text);
  if (size < 0x20) writeType(0xa0 + size, 0);
  else writeSized(0xd9, size);
  room(size);
  if (ascii !== length) bytes.write(text, at);
  at += size;
}

function writeBinary({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
  writeSized(0xc4, byteLength);
  room(byteLength);
  bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at);
  at += byteLength;
}

function writeObject(value: object, around: object[]): void {
  if (around.length >= MSGPACK_MAX_DEPTH) throw new RangeError(`nested deeper than ${MSGPACK_MAX_DEPTH}`);
  // At every 32nd level only: a cycle ends before its texts are written 1024 times, and shallow values pay nothing.
  if (around.length % 32 === 31 && around.includes(value)) throw new TypeError('the value contains itself');
  around.push(value);
  if (Array.isArray(value)) {
    const { length } = value;
    writeCount(length, 0x90, 0xdb);
    for (let index = 0; index < length; index += 1) write(plainOrBytes(value[index], index), around);
  } else writeMap(value as Record<string, unknown>, around);
  around.pop();
}

/** How many follow: in the type itself below 16, else in two or four bytes, whose types follow `type`; none has one byte. */
function writeCount(count: number, few: number, type: number): void {
  if (count < 0x10) writeType(few + count, 0);
  else writeSized(type, count, Math.max(count, 0x100));
}

function writeMap(map: Readonly<Record<string, unknown>>, around: object[]): void {
  const parts: unknown[] = [];
  for (const key of Object.keys(map)) {
    const value = plainOrBytes(map[key], key);
    if (value !== undefined) parts.push(key, value);
  }
  writeCount(parts.length / 2, 0x80, 0xdd);
  for (const part of parts) write(part, around);
}
