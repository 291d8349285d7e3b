import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { isSpanId, isTraceId, newSpanId, newTraceId } from '../../src/trace-context/index.js';

afterEach(() => {
  jest.resetModules();
  jest.dontMock('../../src/internal/index.js');
});

describe('new ids', () => {
  it('are valid and differ', () => {
    const traces = Array.from({ length: 5000 }, newTraceId);
    const spans = Array.from({ length: 5000 }, newSpanId);
    expect(traces.filter((id) => !isTraceId(id))).toEqual([]);
    expect(spans.filter((id) => !isSpanId(id))).toEqual([]);
    expect([new Set(traces).size, new Set(spans).size]).toEqual([5000, 5000]);
  });

  it('are drawn again when the draw is all zero, and only then', () => {
    const draws = ['0'.repeat(16), '0'.repeat(16), '00f067aa0ba902b0', '00f067aa0ba902b7'];
    jest.doMock('../../src/internal/index.js', () => ({ randomHex: () => draws.shift() }));
    jest.isolateModules(() => {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const fresh = require('../../src/trace-context/ids.js') as { newSpanId: typeof newSpanId };
      expect(fresh.newSpanId()).toBe('00f067aa0ba902b0');
    });
  });
});
