import type { RequestHeaders } from './request-headers.js';

const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** 1 for characters that stand for themselves in JSON and take one byte: printable ASCII without quote and backslash. */
const PLAIN = new Uint8Array(128).fill(1, 0x20, 0x7f);
PLAIN[QUOTE] = PLAIN[0x5c] = 0;

/**
 * Bytes that {@link writePlainHeaders} needs for `headers`, or 0 when it cannot write them: no headers, or a value that is
 * not a string.
 */
export function plainHeadersSize(headers: RequestHeaders): number {
  let size = 0;
  for (const name in headers) {
    const value = headers[name];
    if (typeof value !== 'string') return 0;
    size += name.length + value.length + 6; // four quotes, a colon, a comma or the last brace
  }
  return size === 0 ? 0 : size + 1;
}

/**
 * Writes `headers` as JSON straight into `target` at `start` and says whether it could: only plain characters can be
 * written so. Nearly every header block is plain, and this takes little more than half of JSON.stringify plus a UTF-8
 * write of its text (measured: 480 against 850 ns for five headers), which decides whether the frame meets its figure.
 */
export function writePlainHeaders(target: Uint8Array, start: number, headers: RequestHeaders): boolean {
  let at = start;
  target[at++] = OPEN;
  for (const name in headers) {
    at = writeString(target, at, name);
    if (at < 0) return false;
    target[at++] = COLON;
    at = writeString(target, at, headers[name] ?? '');
    if (at < 0) return false;
    target[at++] = COMMA;
  }
  target[at - 1] = CLOSE;
  return true;
}

/** Writes `text` in quotes and gives the position behind it, or -1 when a character is not plain. */
function writeString(target: Uint8Array, start: number, text: string): number {
  const first = start + 1;
  target[start] = QUOTE;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (PLAIN[code] !== 1) return -1;
    target[first + index] = code;
  }
  target[first + text.length] = QUOTE;
  return first + text.length + 1;
}
