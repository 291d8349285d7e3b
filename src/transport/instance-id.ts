import { invalidOption, randomHex } from '../internal/index.js';

const MAX_ID = 2n ** 64n - 1n;

/** A new instance id: a random unsigned 64-bit integer. */
export function newInstanceId(): bigint {
  return BigInt(`0x${randomHex(8)}`);
}

/** Whether `id` can be an instance id: an unsigned 64-bit integer. */
export function isInstanceId(id: unknown): id is bigint {
  return typeof id === 'bigint' && id >= 0n && id <= MAX_ID;
}

/** An instance id that was given by hand, or none. @throws ERR_OPTION_INVALID naming `path` */
export function instanceIdOption(id: unknown, path: string): bigint | undefined {
  if (id === undefined || isInstanceId(id)) return id;
  throw invalidOption(path, 'a BigInt from 0 to 2^64 - 1', id);
}
