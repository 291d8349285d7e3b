/** Monotonic milliseconds, with fractions. Differences are durations; the origin means nothing. */
export function monotonicMs(): number {
  return performance.now();
}

/** Nanoseconds since 1970 as decimal text: JavaScript's clock gives microseconds, the rest is zeros. */
export function unixNanos(): string {
  const micros = Math.round((performance.timeOrigin + performance.now()) * 1000);
  return `${micros}000`;
}

/** At most one event in `intervalMs`; `take` gives how many were left out since the last one, or undefined to leave this one out. */
export class RateLimit {
  #last = Number.NEGATIVE_INFINITY;
  #suppressed = 0;

  constructor(private readonly intervalMs: number, private readonly now: () => number = monotonicMs) {}

  take(): number | undefined {
    const now = this.now();
    if (now - this.#last < this.intervalMs) {
      this.#suppressed += 1;
      return undefined;
    }
    this.#last = now;
    const left = this.#suppressed;
    this.#suppressed = 0;
    return left;
  }
}
