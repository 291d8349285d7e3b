import { EventEmitter } from 'node:events';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { context, createContextKey, createTraceState, ROOT_CONTEXT, trace, TraceFlags, type Context, type Span } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { AlwaysOffSampler, BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type * as traceContext from '../../src/trace-context/index.js';
import {
  activeContext, bindToContext, bindTrace, contextOfSpan, currentRequest, currentTraceContext, getTraceScope, parseTracestate, remoteSpanContext, runInContext, runInRequest, setTraceScope, spanContextOf, traceHeaders, traceStateText, type TraceScope,
} from '../../src/trace-context/index.js';

const scope: TraceScope = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 3, parentId: 'aaaaaaaaaaaaaaaa',
  tracestate: 'foo=1', xRequestId: 'mine', requestId: '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b', spanName: 'http-request', logFields: { method: 'GET' },
};
const other: TraceScope = { traceId: 'b'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 0 };
const request = setTraceScope(ROOT_CONTEXT, scope);
const otherRequest = setTraceScope(ROOT_CONTEXT, other);
const seen = (): string | undefined => currentTraceContext()?.spanId;

describe.each<[string, boolean]>([
  ['no OpenTelemetry registered', false],
  ['OpenTelemetry\'s context manager registered', true],
])('with %s', (_what, registered) => {
  beforeAll(() => {
    if (registered) context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  });
  afterAll(() => {
    context.disable();
  });

  it('there is nothing outside any request', () => {
    expect(activeContext()).toBe(ROOT_CONTEXT);
    expect(currentTraceContext()).toBeUndefined();
    expect(traceHeaders()).toEqual({});
  });

  it('runInContext makes the context current, gives the result, and leaves it after', () => {
    expect(runInContext(request, () => [activeContext() === request, seen()])).toEqual([true, scope.spanId]);
    expect(activeContext()).toBe(ROOT_CONTEXT);
  });

  it('runInContext leaves the context when the function throws', () => {
    expect(() => runInContext(request, () => {
      throw new Error('from the function');
    })).toThrow('from the function');
    expect(activeContext()).toBe(ROOT_CONTEXT);
  });

  it('an inner context hides the outer one until it ends', () => {
    expect(runInContext(request, () => [seen(), runInContext(otherRequest, seen), seen()])).toEqual([scope.spanId, other.spanId, scope.spanId]);
  });

  it('the root context inside a request is outside any request', () => {
    expect(runInContext(request, () => [runInContext(ROOT_CONTEXT, seen), seen()])).toEqual([undefined, scope.spanId]);
  });

  it.each<[string, (fn: () => void) => void]>([
    ['setTimeout', (fn) => setTimeout(fn, 1)],
    ['setImmediate', (fn) => setImmediate(fn)],
    ['process.nextTick', (fn) => process.nextTick(fn)],
    ['queueMicrotask', (fn) => queueMicrotask(fn)],
    ['a promise', (fn) => void Promise.resolve().then(fn)],
    ['awaits and timers', (fn) => void (async () => {
      await nextTurn();
      await delay(1);
      fn();
    })()],
  ])('the context follows work begun in it through %s', async (_how, begin) => {
    await expect(runInContext(request, () => new Promise((resolve) => begin(() => resolve(seen()))))).resolves.toBe(scope.spanId);
  });

  it('requests that run at the same time do not see each other', async () => {
    const one = (ctx: Context) => runInContext(ctx, async () => {
      const ids = [seen()];
      for (let i = 0; i < 5; i += 1) {
        await nextTurn();
        ids.push(seen());
      }
      return [...new Set(ids)];
    });
    await expect(Promise.all([one(request), one(otherRequest), one(ROOT_CONTEXT)])).resolves.toEqual([[scope.spanId], [other.spanId], [undefined]]);
  });

  it('a bound function keeps its context in an event emitter that fires in another request', () => {
    const emitter = new EventEmitter();
    const ids: unknown[] = [];
    runInContext(request, () => {
      emitter.on('data', () => ids.push(['plain', seen()]));
      emitter.on('data', bindTrace(() => ids.push(['bound', seen()])));
    });
    runInContext(otherRequest, () => emitter.emit('data'));
    expect(ids).toEqual([['plain', other.spanId], ['bound', scope.spanId]]);
  });

  it('a bound function keeps its context in a queue that another request drains', async () => {
    const queue: (() => string | undefined)[] = [];
    runInContext(request, () => queue.push(bindTrace(seen)));
    const drained = await runInContext(otherRequest, async () => {
      await nextTurn();
      return queue.map((job) => job());
    });
    expect(drained).toEqual([scope.spanId]);
  });

  it('a function bound outside any request is outside any request wherever it runs', () => {
    const bound = bindTrace(seen);
    expect(runInContext(request, bound)).toBeUndefined();
  });

  it('a bound function passes this, arguments, result and errors through', () => {
    const bound = bindToContext(request, function (this: unknown, a: number, b: number) {
      if (a > b) throw new RangeError('a > b');
      return [this, a + b, seen()];
    });
    const self = {};
    expect(bound.call(self, 1, 2)).toEqual([self, 3, scope.spanId]);
    expect(() => bound(2, 1)).toThrow(RangeError);
  });

  it('bindTrace and runInContext take a context', () => {
    expect(runInContext(request, seen)).toBe(scope.spanId);
    expect(bindTrace(seen, request)()).toBe(scope.spanId);
  });

  it('runInRequest makes the request and its context current, also for the contexts inside it, and leaves both after', async () => {
    const handle = {};
    const inside = (): unknown[] => [currentRequest(), seen()];
    const before = await runInRequest(handle, request, async () => [inside(), runInContext(otherRequest, inside), await nextTurn(), inside()]);
    expect(before).toEqual([[handle, scope.spanId], [handle, other.spanId], undefined, [handle, scope.spanId]]);
    expect([currentRequest(), seen()]).toEqual([undefined, undefined]);
  });

  it('runInRequest changes nothing for code that is inside the request already, and takes over from another request', () => {
    const handle = {};
    const inner = {};
    expect(runInRequest(handle, request, () => runInContext(otherRequest, () => runInRequest(handle, request, seen)))).toBe(other.spanId);
    expect(runInRequest(handle, request, () => runInRequest(inner, otherRequest, () => [currentRequest() === inner, seen()]))).toEqual([true, other.spanId]);
  });

  it('the root context that others set inside a request is outside it where contexts are carried, and has no effect elsewhere', () => {
    expect(runInRequest({}, request, () => context.with(ROOT_CONTEXT, seen))).toBe(registered ? undefined : scope.spanId);
  });

  if (registered) {
    it('a context of others gets the scope of the request when its span is of the same trace', () => {
      const span = (traceId: string): Context => trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: 'c'.repeat(16), traceFlags: 1 });
      const scoped = (ctx: Context): unknown => runInRequest({}, request, () => context.with(ctx, () => [getTraceScope(activeContext()), trace.getSpanContext(activeContext())?.traceId]));
      expect(scoped(span(scope.traceId))).toEqual([scope, scope.traceId]);
      expect(scoped(span(other.traceId))).toEqual([undefined, other.traceId]);
      expect(scoped(setTraceScope(span(scope.traceId), other))).toEqual([other, scope.traceId]);
      expect(scoped(ROOT_CONTEXT.setValue(createContextKey('theirs'), 1))).toEqual([undefined, undefined]);
      expect(runInRequest({}, ROOT_CONTEXT, () => context.with(span(scope.traceId), () => getTraceScope(activeContext())))).toBeUndefined();
    });
  }

  it('two copies of the package see each other\'s context, both ways', () => {
    jest.isolateModules(() => {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const copy = require('../../src/trace-context/index.js') as typeof traceContext;
      expect(copy.runInContext).not.toBe(runInContext);
      expect(runInContext(request, () => copy.currentTraceContext())).toEqual(currentTraceContext(request));
      expect(copy.runInContext(copy.setTraceScope(ROOT_CONTEXT, other), () => currentTraceContext())).toEqual(other);
      expect(runInContext(request, () => copy.runInContext(otherRequest, seen))).toBe(other.spanId);
    });
  });
});

describe('currentTraceContext', () => {
  const provider = new BasicTracerProvider();
  const tracer = provider.getTracer('test');
  const spanIn = (ctx: Context, of = tracer): Span => of.startSpan('inner', {}, ctx);
  const remote = (traceFlags = 1, tracestate?: string) => remoteSpanContext({ traceId: scope.traceId, spanId: scope.spanId, traceFlags, tracestate });

  it('is the scope when there is no span', () => {
    expect(currentTraceContext(request)).toEqual(scope);
    expect(getTraceScope(request)).toBe(scope);
  });

  it('names the innermost live span, with the ids of the request', () => {
    const inner = spanIn(trace.setSpanContext(request, remote()));
    expect(currentTraceContext(trace.setSpan(request, inner))).toMatchObject({ traceId: scope.traceId, spanId: inner.spanContext().spanId, requestId: scope.requestId, xRequestId: 'mine' });
  });

  it('knows the parent of our own span only', () => {
    expect(currentTraceContext(trace.setSpanContext(request, remote()))?.parentId).toBe(scope.parentId);
    expect(currentTraceContext(trace.setSpan(request, spanIn(request)))?.parentId).toBeUndefined();
  });

  it.each<[string, number, boolean]>([['a sampled', 1, true], ['an unsampled', 0, false]])('carries the live decision of %s parent', (_what, traceFlags, sampled) => {
    const inner = spanIn(trace.setSpanContext(ROOT_CONTEXT, remote(traceFlags)));
    const headers = traceHeaders(trace.setSpan(ROOT_CONTEXT, inner));
    expect(headers.traceparent).toBe(`00-${scope.traceId}-${inner.spanContext().spanId}-0${Number(sampled)}`);
  });

  it('follows the live decision where it differs from the caller\'s', () => {
    const never = new BasicTracerProvider({ sampler: new AlwaysOffSampler() }).getTracer('test');
    const inner = spanIn(trace.setSpanContext(request, remote(1)), never);
    expect(traceHeaders(trace.setSpan(request, inner)).traceparent).toBe(`00-${scope.traceId}-${inner.spanContext().spanId}-02`);
  });

  it('keeps the random flag of the same trace, which SDKs drop', () => {
    const inner = spanIn(trace.setSpanContext(request, remote(3)));
    expect(inner.spanContext().traceFlags).toBe(TraceFlags.SAMPLED);
    expect(currentTraceContext(trace.setSpan(request, inner))?.traceFlags).toBe(3);
  });

  it('does not lend random flag and tracestate to a span of another trace', () => {
    const stranger = spanIn(ROOT_CONTEXT);
    expect(traceHeaders(trace.setSpan(request, stranger))).toEqual({
      traceparent: `00-${stranger.spanContext().traceId}-${stranger.spanContext().spanId}-01`, 'x-request-id': 'mine', 'request-id': scope.requestId,
    });
  });

  it.each<[string, string]>([
    ['of 600 characters', `a=${'x'.repeat(256)},b=${'y'.repeat(256)},c=${'z'.repeat(82)}`],
    ['with level-2 keys', 'foo@=1,a@@b=2,0a@b@c=3'],
    ['of 32 members', Array.from({ length: 32 }, (_, i) => `k${i}=${i}`).join(',')],
    ['with a key twice', 'foo=1,foo=2'],
  ])('carries a tracestate %s through spans of the SDK', (_what, tracestate) => {
    let ctx = trace.setSpanContext(ROOT_CONTEXT, remote(1, tracestate));
    for (let depth = 0; depth < 3; depth += 1) ctx = trace.setSpan(ctx, spanIn(ctx));
    expect(traceHeaders(ctx).tracestate).toBe(tracestate);
  });

  it('lets a live span change the tracestate', () => {
    const live = remote(1, 'foo=1');
    const changed = trace.wrapSpanContext({ ...live, traceState: live.traceState!.set('bar', '2') });
    expect(traceHeaders(trace.setSpan(request, changed)).tracestate).toBe('bar=2,foo=1');
    const emptied = trace.wrapSpanContext({ ...live, traceState: live.traceState!.unset('foo') });
    expect(traceHeaders(trace.setSpan(request, emptied)).tracestate).toBeUndefined();
  });

  it('sends the tracestate of an SDK, whose class is not ours', () => {
    const theirs = trace.wrapSpanContext({ ...remote(1), traceState: createTraceState('foo=1,bar=2') });
    expect(traceHeaders(trace.setSpan(request, theirs)).tracestate).toBe('foo=1,bar=2');
  });

  it.each<[string, string]>([['a line feed', 'foo=1\r\nx-evil: 1'], ['an upper-case key', 'FOO=1'], ['33 members', Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(',')]])('does not send a foreign tracestate with %s', (_what, text) => {
    const foreign = { get: () => undefined, set: () => foreign, unset: () => foreign, serialize: () => text };
    expect(parseTracestate(text)).toBeUndefined();
    expect(traceHeaders(trace.setSpan(request, trace.wrapSpanContext({ ...remote(1), traceState: foreign }))).tracestate).toBeUndefined();
  });

  it.each<[string, string, string]>([
    ['all zero', '0'.repeat(32), '0'.repeat(16)],
    ['upper case', scope.traceId.toUpperCase(), scope.spanId.toUpperCase()],
    ['too short', 'abc', 'def'],
    ['not hex', 'x'.repeat(32), 'y'.repeat(16)],
  ])('falls back to the scope for a span whose ids are %s', (_what, traceId, spanId) => {
    const ctx = (base: Context): Context => trace.setSpan(base, trace.wrapSpanContext({ traceId, spanId, traceFlags: 1 }));
    expect(currentTraceContext(ctx(request))).toEqual(scope);
    expect(traceHeaders(ctx(ROOT_CONTEXT))).toEqual({});
  });

  it('falls back to the scope for a span that throws', () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const broken = { ...trace.wrapSpanContext(remote()), spanContext: () => {
      throw new Error('broken span');
    } } as unknown as Span;
    expect(currentTraceContext(trace.setSpan(request, broken))).toEqual(scope);
    expect(warned.mock.calls.map(([text]) => text)).toEqual([expect.stringContaining('broken span')]);
    warned.mockRestore();
  });
});

describe('a context manager that throws', () => {
  const fails = (): never => {
    throw new Error('broken manager');
  };

  it('counts as none: the request is carried by our own storage, and each function runs once', () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    context.setGlobalContextManager({ active: fails, with: fails, bind: (_ctx, target) => target, enable() { return this; }, disable() { return this; } });
    try {
      let runs = 0;
      expect(activeContext()).toBe(ROOT_CONTEXT);
      expect(runInContext(request, () => [(runs += 1), seen()])).toEqual([1, scope.spanId]);
      expect(runInRequest({}, otherRequest, () => [(runs += 1), seen()])).toEqual([2, other.spanId]);
      expect(warned).toHaveBeenCalled();
    } finally {
      context.disable();
      warned.mockRestore();
    }
  });

  it('that a function throws through is not asked again: the function runs once, and its error comes out', () => {
    let runs = 0;
    const error = new Error('of the function');
    for (const run of [runInContext, (ctx: Context, fn: () => unknown) => runInRequest({}, ctx, fn)]) {
      expect(() => run(request, () => {
        runs += 1;
        throw error;
      })).toThrow(error);
    }
    expect(runs).toBe(2);
  });

  it('is reported by the name of the function that failed', () => {
    const told: string[] = [];
    jest.isolateModules(() => {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const fresh = require('../../src/trace-context/index.js') as typeof traceContext;
      const warned = jest.spyOn(process, 'emitWarning').mockImplementation((text) => void told.push(String(text)));
      context.setGlobalContextManager({ active: fails, with: fails, bind: (_ctx, target) => target, enable() { return this; }, disable() { return this; } });
      try {
        fresh.runInContext(request, () => fresh.spanContextOf(trace.setSpan(ROOT_CONTEXT, { spanContext: fails } as unknown as Span)));
        fresh.currentTraceContext(trace.setSpan(request, { spanContext: fails } as unknown as Span));
        fresh.traceStateText({ serialize: fails } as never);
      } finally {
        context.disable();
        warned.mockRestore();
      }
    });
    expect(told.map((text) => text.split(' failed')[0])).toEqual(['context.with', 'context.active', 'span.spanContext', 'span.spanContext()', 'traceState.serialize']);
  });
});

describe('what spans and trace states tell', () => {
  const remote = () => ({ traceId: scope.traceId, spanId: 'c'.repeat(16), traceFlags: 1 });

  it('is a span context when it is a valid one, and nothing else', () => {
    expect(spanContextOf(ROOT_CONTEXT)).toBeUndefined();
    expect(spanContextOf(trace.setSpanContext(ROOT_CONTEXT, { traceId: '', spanId: '', traceFlags: 0 }))).toBeUndefined();
    expect(spanContextOf(trace.setSpanContext(ROOT_CONTEXT, remote()))).toMatchObject({ traceId: scope.traceId });
  });

  it.each([{ spanId: 'B7AD6B7169203331' }, { traceId: 'short' }])('is no trace context with %j', (wrong) => {
    expect(contextOfSpan(trace.wrapSpanContext({ ...remote(), ...wrong }))).toBeUndefined();
  });

  it('is without the random flag where the scope drops it', () => {
    const span = trace.wrapSpanContext({ ...remote(), traceFlags: 3 });
    expect([contextOfSpan(span, scope)?.traceFlags, contextOfSpan(span, { ...scope, dropRandomFlag: true })?.traceFlags]).toEqual([3, 1]);
  });

  it('is no text, and no fault, where there is no trace state', () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    expect(traceStateText(undefined)).toBeUndefined();
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
  });
});
