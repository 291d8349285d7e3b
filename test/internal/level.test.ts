import { describe, expect, it } from '@jest/globals';
import { LEVELS, levelRank, parseLevel } from '../../src/internal/index.js';

describe('levels', () => {
  it('rank from trace to error, off above them all', () => {
    const ranks = [...LEVELS, 'off' as const].map(levelRank);
    expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
    expect(new Set(ranks).size).toBe(6);
  });

  it.each<[string, string | undefined]>([
    ['info', 'info'], ['INFO', 'info'], ['Warn', 'warn'], ['off', 'off'], ['trace', 'trace'],
    ['', undefined], ['warning', undefined], ['info ', undefined], ['toString', undefined], ['__proto__', undefined], ['3', undefined],
  ])('%j names %j', (text, level) => {
    expect(parseLevel(text)).toBe(level);
  });
});
