import { setImmediate as nextTurn } from 'node:timers/promises';
import { context, createContextKey, diag, ROOT_CONTEXT } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type * as traceContext from '../../src/trace-context/index.js';
import { AsyncContextManager } from '../../src/trace-context/index.js';

const KEY = createContextKey('test');
const one = ROOT_CONTEXT.setValue(KEY, 1);
const two = ROOT_CONTEXT.setValue(KEY, 2);

describe('the context manager', () => {
  it('has the root context outside, and inside what it was given, which inner calls hide and awaits keep', async () => {
    const manager = new AsyncContextManager().enable();
    expect(manager.active()).toBe(ROOT_CONTEXT);
    const seen = await manager.with(one, async () => [manager.active(), manager.with(two, () => manager.active()), await nextTurn(), manager.active()]);
    expect(seen).toEqual([one, two, undefined, one]);
    expect(manager.active()).toBe(ROOT_CONTEXT);
  });

  it('calls a function with this, its arguments and its result', () => {
    const self = {};
    expect(new AsyncContextManager().with(one, function (this: unknown, a: number, b: number) { return [this, a, b]; }, self, 1, 2)).toEqual([self, 1, 2]);
  });

  it('binds a function to a context, with this, its arguments and its result, and leaves what is no function as it is', () => {
    const manager = new AsyncContextManager();
    const bound = manager.bind(one, function (this: unknown, a: number) { return [manager.active(), this, a]; });
    const self = {};
    expect(manager.with(two, () => bound.call(self, 1))).toEqual([one, self, 1]);
    const emitter = {};
    expect(manager.bind(one, emitter)).toBe(emitter);
  });

  it('forgets the current context when it is disabled', () => {
    const manager = new AsyncContextManager();
    expect(manager.with(one, () => [manager.active(), manager.disable() === manager, manager.active()])).toEqual([one, true, ROOT_CONTEXT]);
  });
});

describe('the offer of a context manager', () => {
  afterEach(() => context.disable());

  /** As in a process of its own: the offer is made once in each copy of the package. */
  const offers = (count: number): boolean[] => {
    const made: boolean[] = [];
    jest.isolateModules(() => {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { offerContextManager } = require('../../src/trace-context/index.js') as typeof traceContext;
      for (let index = 0; index < count; index += 1) made.push(offerContextManager());
    });
    return made;
  };

  it('is taken once where there is none, and contexts are carried from then on', () => {
    expect(context.with(one, () => context.active())).toBe(ROOT_CONTEXT);
    expect(offers(2)).toEqual([true, false]);
    expect(context.with(one, () => context.active())).toBe(one);
  });

  it('is not made again when the manager is gone, because somebody took it away', () => {
    jest.isolateModules(() => {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const { offerContextManager } = require('../../src/trace-context/index.js') as typeof traceContext;
      expect(offerContextManager()).toBe(true);
      context.disable();
      expect(offerContextManager()).toBe(false);
    });
    expect(context.with(one, () => context.active())).toBe(ROOT_CONTEXT);
  });

  it('is not made where there is a manager, which stays, and OpenTelemetry has nothing to complain of', () => {
    const manager = new AsyncLocalStorageContextManager().enable();
    context.setGlobalContextManager(manager);
    const complain = jest.fn();
    diag.setLogger({ error: complain, warn: complain, info: () => undefined, debug: () => undefined, verbose: () => undefined });
    complain.mockClear();
    try {
      expect(offers(1)).toEqual([false]);
      expect(context.with(one, () => manager.active())).toBe(one);
      expect(complain).not.toHaveBeenCalled();
    } finally {
      diag.disable();
    }
  });
});
