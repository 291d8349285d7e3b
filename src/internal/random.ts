import { randomFillSync } from 'node:crypto';

// One call to the system fills many ids: randomFillSync costs microseconds per call, almost nothing per byte.
const pool = Buffer.allocUnsafe(4096);
let used = pool.length;

/** `bytes` random bytes (64 at most) as lower-case hex, from a pool of the system's cryptographic source. */
export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const hex = pool.toString('hex', used, used + bytes);
  used += bytes;
  return hex;
}
