import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { SPANS, startSpan, withRoutingSpan, type TracedSpan } from '../../src/spans/index.js';
import { currentTraceContext, runInContext } from '../../src/trace-context/index.js';
import { REQUEST_ID, settings, startSdk, type Sdk } from './support.js';

let sdk: Sdk;
let request: TracedSpan;
beforeEach(() => {
  sdk = startSdk();
  request = startSpan(SPANS.inferenceRequest, { settings: settings(), parent: ROOT_CONTEXT, fields: {}, identity: { requestId: REQUEST_ID } });
});
afterEach(() => sdk.stop());

function inRequest<T>(fn: () => T): T {
  return runInContext(request.context, fn);
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(() => fail('settled well'), (error: unknown) => error);
}

function fail(text: string): never {
  throw new Error(text);
}

describe('withRoutingSpan', () => {
  it.each(['prefill_routing', 'kv_find_best_match'] as const)('runs a function inside a %s span of the request and ends it', (step) => {
    const given = inRequest(() => withRoutingSpan(step, (span) => {
      span.set({ worker_id: 3n });
      expect(sdk.ended()).toEqual([]);
      expect(currentTraceContext()).toMatchObject({ spanId: span.scope.spanId, requestId: REQUEST_ID });
      return 'chosen';
    }, { overlap_blocks: 4 }));
    expect(given).toBe('chosen');
    const [made] = sdk.ended();
    expect(made).toMatchObject({ name: step, kind: SpanKind.INTERNAL, attributes: { overlap_blocks: 4, worker_id: '3' }, status: { code: SpanStatusCode.UNSET } });
    expect(made?.parentSpanContext?.spanId).toBe(request.scope.spanId);
  });

  it('ends the span when the promise settles, not before, and passes the value on', async () => {
    let finish = (_value: string): void => undefined;
    const pending = inRequest(() => withRoutingSpan('kv_find_best_match', () => new Promise<string>((resolve) => (finish = resolve))));
    await new Promise(setImmediate);
    expect(sdk.ended()).toEqual([]);
    finish('late');
    expect(await pending).toBe('late');
    expect(sdk.ended()).toHaveLength(1);
  });

  it('keeps the span as the context after await', async () => {
    const [before, after] = await inRequest(() => withRoutingSpan('prefill_routing', async () => {
      const first = currentTraceContext()?.spanId;
      await new Promise((resolve) => setTimeout(resolve, 1));
      return [first, currentTraceContext()?.spanId];
    }));
    expect(before).toBeDefined();
    expect(after).toBe(before);
  });

  it('marks what is thrown and throws it on: synchronous', () => {
    const error = new TypeError('no worker');
    expect(() => inRequest(() => withRoutingSpan('prefill_routing', () => {
      throw error;
    }))).toThrow(error);
    expect(sdk.ended()[0]).toMatchObject({ status: { code: SpanStatusCode.ERROR, message: 'TypeError' }, attributes: { 'error.type': 'TypeError' } });
  });

  it('marks what is thrown and throws it on: asynchronous', async () => {
    const error = new RangeError('too far');
    expect(await rejection(inRequest(() => withRoutingSpan('prefill_routing', async () => Promise.reject(error))))).toBe(error);
    expect(sdk.ended()[0]).toMatchObject({ status: { code: SpanStatusCode.ERROR, message: 'RangeError' }, attributes: { 'error.type': 'RangeError' } });
  });

  it.each<[string, unknown]>([
    ['a string', 'text'],
    ['undefined', undefined],
    ['an object without a text', Object.create(null)],
    ['an error whose message throws', Object.defineProperty(new Error('x'), 'message', { get: () => fail('inner') })],
  ])('ends the span and throws %s on as it was', async (_what, thrown) => {
    jest.spyOn(process, 'emitWarning').mockReturnValue(undefined);
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
    expect(await rejection(withRoutingSpan('prefill_routing', async () => Promise.reject(thrown)))).toBe(thrown);
    let caught: unknown = 'nothing';
    try {
      withRoutingSpan('prefill_routing', () => {
         
        throw thrown;
      });
    } catch (error) {
      caught = error;
    }
    expect(caught).toBe(thrown);
    expect(sdk.ended()).toHaveLength(2);
  });

  it('is the parent of detached work, even after it has ended', async () => {
    let detached: Promise<void> = Promise.resolve();
    inRequest(() => withRoutingSpan('prefill_routing', () => {
      detached = new Promise((resolve) => setTimeout(() => {
        trace.getTracer('app').startSpan('detached').end();
        resolve();
      }, 1));
    }));
    await detached;
    const [routing, late] = sdk.ended();
    expect([routing?.name, late?.name]).toEqual(['prefill_routing', 'detached']);
    expect(late?.parentSpanContext?.spanId).toBe(routing?.spanContext().spanId);
  });

  it('works outside any request: a root span', () => {
    expect(withRoutingSpan('prefill_routing', () => 1)).toBe(1);
    expect(sdk.ended()[0]?.parentSpanContext).toBeUndefined();
  });

  it('runs the function in the request\'s own context when the span is filtered out', () => {
    const inner = inRequest(() => withRoutingSpan('prefill_routing', () => currentTraceContext()?.spanId, {}, settings('request_span=off')));
    expect(inner).toBe(request.scope.spanId);
    expect(sdk.ended()).toEqual([]);
  });

  it('nests', () => {
    inRequest(() => withRoutingSpan('prefill_routing', () => withRoutingSpan('kv_find_best_match', () => undefined)));
    const [inner, outer] = sdk.ended();
    expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
  });
});
