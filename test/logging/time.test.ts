import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { timestamp } from '../../src/logging/time.js';

const T = Date.UTC(2026, 7, 21, 10, 0, 0);
afterEach(() => {
  jest.restoreAllMocks();
});

describe('timestamp', () => {
  it.each([
    [T, '2026-08-21T10:00:00.000000Z'],
    [T + 123.4567, '2026-08-21T10:00:00.123456Z'],
    [T + 0.001, '2026-08-21T10:00:00.000000Z'], // below what a double of this size holds
    [T + 0.5, '2026-08-21T10:00:00.000500Z'],
    [T + 999.999, '2026-08-21T10:00:00.999999Z'],
    [T + 1000, '2026-08-21T10:00:01.000000Z'],
    [Date.UTC(2027, 0, 1) - 1, '2026-12-31T23:59:59.999000Z'],
  ])('%d is %s', (epochMs, text) => {
    // The double nearest to the instant may lie a fraction of a microsecond below it.
    const micros = (value: string) => Number(value.slice(20, 26));
    const seen = timestamp(false, epochMs);
    expect(seen.slice(0, 20)).toBe(text.slice(0, 20));
    expect(Math.abs(micros(seen) - micros(text))).toBeLessThanOrEqual(1);
    expect(seen).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  it('in local time has the offset, and both zones can alternate', () => {
    const local = timestamp(true, T + 1);
    expect(local).toMatch(/^2026-08-2\dT\d\d:\d\d:00\.001000[+-]\d\d:\d\d$/);
    expect(Date.parse(local)).toBe(T + 1);
    expect(timestamp(false, T + 1)).toBe('2026-08-21T10:00:00.001000Z');
    expect(timestamp(true, T + 1)).toBe(local);
  });

  it.each([
    [-330, '+05:30'],
    [0, '+00:00'],
    [210, '-03:30'],
    [-720, '+12:00'],
  ])('shows an offset of %d minutes as %s', (minutes, text) => {
    jest.spyOn(Date.prototype, 'getTimezoneOffset').mockReturnValue(minutes);
    expect(timestamp(true, T + 5000 + minutes * 1000).slice(-6)).toBe(text);
  });

  it('is now', () => {
    const before = Date.now();
    const shown = Date.parse(timestamp(false));
    expect(shown).toBeGreaterThanOrEqual(before - 3);
    expect(shown).toBeLessThanOrEqual(Date.now() + 3);
  });

  it('follows a system clock that is set while the process runs', () => {
    const now = jest.spyOn(Date, 'now').mockReturnValue(T);
    expect(timestamp(false).slice(0, 19)).toBe('2026-08-21T10:00:00');
    now.mockReturnValue(T + 3_600_000);
    expect(timestamp(false).slice(0, 19)).toBe('2026-08-21T11:00:00');
    now.mockReturnValue(T);
    expect(timestamp(false).slice(0, 19)).toBe('2026-08-21T10:00:00');
  });
});
