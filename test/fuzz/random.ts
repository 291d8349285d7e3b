/** Numbers that a seed decides, so that a run can be repeated (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to `end` - 1. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000) * end);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

/** A number that stands for these bytes or this text (FNV-1a). */
export function hashOf(data: Uint8Array | string, start = 0): number {
  let hash = 0x811c9dc5 ^ start;
  for (const byte of typeof data === 'string' ? Buffer.from(data) : data) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
