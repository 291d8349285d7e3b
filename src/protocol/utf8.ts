import { isUtf8 } from 'node:buffer';

const REPLACEMENT = '\ufffd';

/** `bytes` as a Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The text in `bytes` from `start` to `end` (whole buffer by default), or `undefined` when it is not valid UTF-8.
 * Decoding first and validating only when a replacement character came out is a third cheaper than validating always.
 */
export function utf8Text(bytes: Buffer, start = 0, end = bytes.length): string | undefined {
  const text = bytes.toString('utf8', start, end);
  return text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(start, end)) ? undefined : text;
}

/** Whether `bytes` hold `text` at `start` and all of it is ASCII. */
export function holdsAscii(bytes: Buffer, start: number, text: string): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const byte = bytes[start + index];
    if (byte !== text.charCodeAt(index) || byte >= 0x80) return false;
  }
  return true;
}
