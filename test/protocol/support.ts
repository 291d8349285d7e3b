import { readFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';

/** A file of test/vectors. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the shape of the file
export function vectors<T>(name: string): T {
  return JSON.parse(readFileSync(joinPath(__dirname, '..', 'vectors', `${name}.json`), 'utf8')) as T;
}

export const hex = (text: string): Buffer => Buffer.from(text, 'hex');
export const join = (chunks: readonly Uint8Array[]): Buffer => Buffer.concat(chunks);

export interface Decoder<T> {
  push(chunk: Uint8Array): void;
  next(): T | undefined;
}

/** Everything a decoder gives when it is fed `chunks`; a refusal once. */
export function feed<T extends { kind: string }>(decoder: Decoder<T>, chunks: readonly Uint8Array[]): T[] {
  const seen: T[] = [];
  for (const chunk of chunks) {
    decoder.push(chunk);
    for (let item = decoder.next(); item !== undefined; item = decoder.next()) {
      seen.push(item);
      if (item.kind === 'refused') return seen;
    }
  }
  return seen;
}

/** `bytes` cut before each of `positions` (any order, any value). */
export function cut(bytes: Uint8Array, positions: readonly number[]): Uint8Array[] {
  const sorted = [...new Set(positions.map((at) => at % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...sorted, bytes.length].map((end, index) => bytes.subarray(sorted[index - 1] ?? 0, end));
}

/** Every way to cut `bytes` in two, and the way byte by byte. */
export function everySplit(bytes: Uint8Array): Uint8Array[][] {
  const inTwo = Array.from({ length: bytes.length + 1 }, (_, at) => cut(bytes, [at]));
  return [...inTwo, Array.from(bytes, (_, at) => bytes.subarray(at, at + 1))];
}

/** The error `run` throws. */
export function thrown(run: () => unknown): Record<string, unknown> {
  try {
    run();
  } catch (error) {
    return error as Record<string, unknown>;
  }
  throw new Error('nothing was thrown');
}
