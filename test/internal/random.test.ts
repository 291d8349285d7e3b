import { describe, expect, it } from '@jest/globals';
import { randomHex } from '../../src/internal/index.js';

describe('randomHex', () => {
  it.each([1, 8, 16, 63, 64])('gives %i bytes as lower-case hex, across refills of its pool', (bytes) => {
    for (let i = 0; i < 1000; i += 1) expect(randomHex(bytes)).toMatch(new RegExp(`^[0-9a-f]{${bytes * 2}}$`));
  });

  it('does not repeat itself', () => {
    const ids = Array.from({ length: 20_000 }, () => randomHex(8));
    expect(new Set(ids).size).toBe(ids.length);
  });
});
