import { inspect, isDeepStrictEqual } from 'node:util';

/** @throws Error when a value that was read is another one after it was written and read again */
export function sameAgain<T>(value: T, writeAndRead: (value: T) => unknown): void {
  const again = writeAndRead(value);
  if (!isDeepStrictEqual(again, value)) throw new Error(`written and read again it is ${inspect(again, { depth: 6 })}`);
}

/** Whether JSON has no escape of a surrogate: one that stands alone is written as U+FFFD. */
export function isUnicode(pieces: readonly Buffer[]): boolean {
  return !/\\u[dD]/.test(Buffer.concat(pieces).toString('latin1'));
}
