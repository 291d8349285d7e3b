import { randomHex } from '../internal/index.js';

const ZEROS = /^0+$/;

function nonZero(bytes: number): string {
  const id = randomHex(bytes);
  return ZEROS.test(id) ? nonZero(bytes) : id;
}

/** A new random trace id: 32 hex digits. */
export function newTraceId(): string {
  return nonZero(16);
}

/** A new random span id: 16 hex digits. */
export function newSpanId(): string {
  return nonZero(8);
}
