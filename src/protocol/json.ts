import { DynamoTracingError } from '../errors/index.js';
import { hasLongDigitRun, withBigInts } from './json-integers.js';
import { stringifyBigInts } from './json-bigint-writer.js';
import { asBuffer, utf8Text } from './utf8.js';

/**
 * `value` as JSON text: what JSON.stringify writes, except that BigInts become bare numbers and a lone surrogate becomes
 * U+FFFD (JSON.stringify escapes it, and Rust's reader then refuses the whole message).
 * @throws ERR_MESSAGE_INVALID for a value that has no JSON form, a cycle, or a BigInt that fits neither u64 nor i64.
 */
export function jsonText(value: unknown): string {
  const text = stringify(value);
  if (text === undefined) throw new DynamoTracingError('ERR_MESSAGE_INVALID', `a ${typeof value} has no JSON form`);
  return text.includes('\\ud') ? wellFormed(text) : text;
}

/** `value` as JSON bytes; see {@link jsonText}. */
export function encodeJson(value: unknown): Buffer {
  return Buffer.from(jsonText(value), 'utf8');
}

/**
 * Reads JSON. Integers that a number cannot hold become BigInt when they fit u64 or i64; larger ones are rounded, as Rust's
 * reader does. A key `__proto__` is a plain entry.
 * @throws ERR_MESSAGE_INVALID with the parser's error as `cause`.
 */
export function decodeJson(bytes: Uint8Array): unknown {
  const buffer = asBuffer(bytes);
  const text = utf8Text(buffer);
  if (text === undefined) throw new DynamoTracingError('ERR_MESSAGE_INVALID', 'the message is not UTF-8');
  try {
    const value: unknown = JSON.parse(text);
    return hasLongDigitRun(buffer) ? withBigInts(value, text) : value;
  } catch (cause) {
    throw new DynamoTracingError('ERR_MESSAGE_INVALID', 'the message is not JSON', { cause });
  }
}

function stringify(value: unknown): string | undefined {
  // A toJSON patched onto BigInt (a widespread fix for JSON.stringify) would turn ids into strings unnoticed.
  if ('toJSON' in BigInt.prototype) return written(value);
  try {
    return JSON.stringify(value);
  } catch {
    return written(value); // a BigInt is in there, or there is no way: the careful writer tells
  }
}

function written(value: unknown): string | undefined {
  try {
    return stringifyBigInts(value);
  } catch (cause) {
    throw new DynamoTracingError('ERR_MESSAGE_INVALID', 'the value cannot be written as JSON', { cause });
  }
}

/** Replaces the escapes that JSON.stringify writes for lone surrogates; other escapes are matched to stay aligned. */
function wellFormed(text: string): string {
  return text.replace(/\\(?:ud[89a-f][0-9a-f]{2}|.)/g, (escape) => (escape.length > 2 ? '\ufffd' : escape));
}
