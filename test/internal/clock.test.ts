import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { monotonicMs, RateLimit, unixNanos } from '../../src/internal/index.js';

describe('RateLimit', () => {
  function limited(intervalMs: number, times: readonly number[]): (number | undefined)[] {
    let now = 0;
    const limit = new RateLimit(intervalMs, () => now);
    return times.map((time) => {
      now = time;
      return limit.take();
    });
  }

  it.each<[string, number[], (number | undefined)[]]>([
    ['lets the first through', [0], [0]],
    ['lets the first through at any time', [-1e9], [0]],
    ['leaves out what comes within the interval', [0, 1, 999], [0, undefined, undefined]],
    ['lets through what comes one interval later, with the count of those left out', [0, 1, 999, 1000], [0, undefined, undefined, 2]],
    ['counts anew after that', [0, 500, 1000, 2000, 2500, 3500], [0, undefined, 1, 0, undefined, 1]],
    ['measures from the last one let through', [0, 1500, 2400, 2500], [0, 0, undefined, 1]],
  ])('%s', (_title, times, expected) => {
    expect(limited(1000, times)).toEqual(expected);
  });

  it('accounts for every event: let through, counted, or still waiting to be counted', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 700 })), (steps) => {
      let now = 0;
      const answers = limited(1000, steps.map((step) => (now += step)));
      const passed = answers.filter((answer) => answer !== undefined);
      const waiting = answers.length - 1 - answers.findLastIndex((answer) => answer !== undefined);
      expect(passed.length + passed.reduce((sum, left) => sum + left, 0) + (passed.length > 0 ? waiting : 0)).toBe(steps.length);
    }));
  });
});

describe('clocks', () => {
  it('monotonicMs never goes back', () => {
    const times = Array.from({ length: 1000 }, monotonicMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('unixNanos is decimal nanoseconds of now', () => {
    const before = Date.now();
    const nanos = unixNanos();
    expect(nanos).toMatch(/^\d{19}$/);
    // The two clocks may drift apart when the system's time is adjusted; a minute is far more than that.
    expect(Math.abs(Number(BigInt(nanos) / 1_000_000n) - before)).toBeLessThan(60_000);
  });
});
