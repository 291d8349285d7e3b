import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type * as Guard from '../../src/internal/guard.js';

// The places already reported are state of the module: each test has a fresh copy.
let guard: typeof Guard;
let warnings: string[];
const emitWarning = jest.spyOn(process, 'emitWarning');

beforeEach(() => {
  warnings = [];
  emitWarning.mockImplementation((warning, options) => {
    warnings.push(`${(options as { code?: string } | undefined)?.code ?? ''} ${String(warning)}`);
  });
  jest.isolateModules(() => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    guard = require('../../src/internal/guard.js') as typeof Guard;
  });
});
afterEach(() => {
  emitWarning.mockClear();
});

const fails = (error: unknown) => (): string => {
  throw error;
};

describe('guarded', () => {
  it('gives what the function gives and reports nothing', () => {
    expect(guard.guarded('logger', () => 'fine', 'fallback')).toBe('fine');
    expect(warnings).toEqual([]);
  });

  it('gives the fallback when the function throws', () => {
    expect(guard.guarded('logger', fails(new Error('disk full')), 'fallback')).toBe('fallback');
  });

  it('reports the first fault of each place only', () => {
    for (const [place, text] of [['logger', 'one'], ['logger', 'two'], ['classify', 'three'], ['logger', 'four']] as const) {
      guard.guarded(place, fails(new Error(text)), '');
    }
    expect(warnings).toEqual(['DYNAMO_TRACING_FAULT logger failed: one (reported once)', 'DYNAMO_TRACING_FAULT classify failed: three (reported once)']);
  });

  it('stops reporting after a hundred places', () => {
    for (let i = 0; i < 150; i += 1) guard.guarded(`place ${i}`, fails(new Error('x')), '');
    expect(warnings).toHaveLength(100);
  });

  it.each<[string, unknown]>([
    ['a string', 'text'],
    ['undefined', undefined],
    ['null', null],
    ['a symbol', Symbol('s')],
    ['an object without a prototype', Object.create(null)],
    ['an object whose toString throws', { toString: fails(new Error('inner')) }],
    ['an error whose message throws', Object.defineProperty(new Error('x'), 'message', { get: fails(new Error('inner')) })],
  ])('survives %s being thrown', (_what, thrown) => {
    expect(guard.guarded('hook', fails(thrown), 'fallback')).toBe('fallback');
    expect(warnings).toHaveLength(1);
  });

  it('catches the rejection of an asynchronous function and reports it', async () => {
    const given = guard.guarded('hook', async () => Promise.reject(new Error('later')), undefined);
    await expect(given).rejects.toThrow('later'); // whoever awaits it still sees it
    expect(warnings).toEqual(['DYNAMO_TRACING_FAULT hook failed: later (reported once)']);
  });
});

describe('reportFault', () => {
  it('is a Node warning, so that it can be heard and turned off', () => {
    guard.reportFault('tracer', new Error('broken'));
    expect(emitWarning).toHaveBeenCalledWith('tracer failed: broken (reported once)', { type: 'DynamoTracingWarning', code: 'DYNAMO_TRACING_FAULT' });
  });
});

describe('decided', () => {
  it('returns what the function answers', () => {
    expect([guard.decided('ignore', () => true, false), guard.decided('ignore', () => undefined, false)]).toEqual([true, undefined]);
    expect(warnings).toEqual([]);
  });

  it.each<[string, () => unknown]>([
    ['a promise', () => Promise.resolve(true)],
    ['a promise that rejects', () => Promise.reject(new Error('later'))],
    ['something else with then', () => ({ then: (): void => undefined })],
  ])('takes %s for no answer, and reports it', (_what, fn) => {
    expect(guard.decided<unknown>('ignore', fn, 'fallback')).toBe('fallback');
    expect(warnings).toEqual(['DYNAMO_TRACING_FAULT ignore failed: it returned a promise, and what it decides is needed at once (reported once)']);
  });
});
