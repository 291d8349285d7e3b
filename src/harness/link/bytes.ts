import type { Lane } from './lane.js';

/** A copy with one byte flipped: the `at`th of the `length` bytes from `start`, or the last of them. */
export function flipByte(bytes: Buffer, start: number, length: number, at: number): Buffer {
  const copy = Buffer.from(bytes);
  const index = start + Math.min(at, length - 1);
  if (length > 0) copy[index] = (copy[index] ?? 0) ^ 0xff;
  return copy;
}

/** Holds frames back and hands several on in one piece. */
export class Merger {
  #held: Buffer[] = [];

  constructor(private readonly lane: Lane) {}

  hold(bytes: Buffer, until: number): void {
    this.#held.push(bytes);
    if (this.#held.length >= until) this.flush();
  }

  flush(): void {
    this.lane.send(Buffer.concat(this.#held));
    this.#held = [];
  }
}
