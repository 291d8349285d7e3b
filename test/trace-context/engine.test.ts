import { propagation, ROOT_CONTEXT, trace, type Context, type Span } from '@opentelemetry/api';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  bindTrace, engineTraceHeaders, injectTraceContext, parseTraceparent, remoteSpanContext, runInContext, setTraceScope, type CarrierTarget, type TraceScope,
} from '../../src/trace-context/index.js';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN_ID = '00f067aa0ba902b7';
const inbound = (traceFlags = 1, tracestate?: string) => trace.setSpanContext(ROOT_CONTEXT, remoteSpanContext({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags, tracestate }));
const tracer = new BasicTracerProvider().getTracer('engine');
const spanIn = (ctx: Context): Span => tracer.startSpan('generate', {}, ctx);
const fails = (): never => {
  throw new Error('broken');
};
/** Fails on every touch. */
const untouchable = (): Record<string, string> => new Proxy({}, { get: fails, set: fails, has: fails, ownKeys: fails, deleteProperty: fails, defineProperty: fails, getOwnPropertyDescriptor: fails });

/** Spans for which there is nothing to inject: what tracing that is off hands out. */
const nothing: [string, Span | null | undefined][] = [
  ['null', null],
  ['undefined', undefined],
  ['the API\'s no-op span', trace.getTracer('unregistered').startSpan('x')],
  ['a span with zero ids', trace.wrapSpanContext({ traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 1 })],
  ['a span with upper-case ids', trace.wrapSpanContext({ traceId: TRACE_ID.toUpperCase(), spanId: SPAN_ID.toUpperCase(), traceFlags: 1 })],
  ['a span with short ids', trace.wrapSpanContext({ traceId: 'abc', spanId: 'def', traceFlags: 1 })],
  ['a span that throws', { spanContext: fails } as unknown as Span],
  ['a span without a context', { spanContext: () => undefined } as unknown as Span],
];

beforeAll(() => {
  jest.spyOn(process, 'emitWarning').mockImplementation(() => {}); // spans that throw are reported
});
afterEach(() => {
  propagation.disable();
});

describe('injectTraceContext (vLLM trace_headers): guarantees', () => {
  it('the trace id is the same on both sides', () => {
    const span = spanIn(ROOT_CONTEXT);
    expect(parseTraceparent(injectTraceContext<Record<string, string>>(span, {})['traceparent'] ?? '')).toEqual({ traceId: span.spanContext().traceId, spanId: span.spanContext().spanId, traceFlags: 1 });
  });

  it('the header is valid W3C: version 00, lower case, 55 characters', () => {
    expect(injectTraceContext<Record<string, string>>(spanIn(ROOT_CONTEXT), {})['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/);
  });

  it('a trace that came from the client goes on, under the active server span and not the client\'s', () => {
    const span = spanIn(inbound(1, 'vendor@x=1'));
    expect(injectTraceContext(span, {})).toEqual({ traceparent: `00-${TRACE_ID}-${span.spanContext().spanId}-01`, tracestate: 'vendor@x=1' });
    expect(span.spanContext().spanId).not.toBe(SPAN_ID);
  });

  it('an inbound header in the mapping is replaced, in whatever case it was written', () => {
    const span = spanIn(inbound());
    expect(injectTraceContext(span, { TraceParent: `00-${TRACE_ID}-${SPAN_ID}-01` })).toEqual({ traceparent: `00-${TRACE_ID}-${span.spanContext().spanId}-01` });
  });

  it('a tracestate that the mapping held for another trace does not stay beside its traceparent', () => {
    expect(Object.keys(injectTraceContext(spanIn(inbound()), { Tracestate: 'theirs=1', accept: '*/*' }))).toEqual(['accept', 'traceparent']);
  });

  it('an unsampled span says so', () => {
    expect(injectTraceContext<Record<string, string>>(spanIn(inbound(0)), {})['traceparent']).toMatch(/-00$/);
  });

  it.each<[string, CarrierTarget]>([
    ['a frozen mapping', Object.freeze({ a: '1' })],
    ['a mapping that throws on every touch', untouchable()],
    ['headers whose set throws', { get: () => null, set: fails, delete: fails, keys: fails }],
  ])('injection failing never fails the request and leaves the carrier as it was: %s', (_what, carrier) => {
    expect(injectTraceContext(spanIn(ROOT_CONTEXT), carrier)).toBe(carrier);
  });

  it('a carrier that takes traceparent and fails on tracestate is not left with half of it', () => {
    const held = new Map<string, string>();
    const carrier = { get: (name: string) => held.get(name) ?? null, set: (name: string, value: string) => (name === 'tracestate' ? fails() : void held.set(name, value)), delete: fails, keys: () => held.keys() };
    expect(injectTraceContext(spanIn(inbound(1, 'foo=1')), carrier)).toBe(carrier);
    expect([...held.keys()]).toEqual([]);
  });

  it.each(nothing)('no exception leaves it, and it injects only when there is a span: %s', (_what, span) => {
    expect(injectTraceContext(span, {})).toEqual({});
  });

  it('uses no ambient state: the span that it is given counts, whatever request is current', () => {
    const other: TraceScope = { traceId: 'b'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 3, tracestate: 'other=1' };
    const span = spanIn(inbound());
    const injected = runInContext(setTraceScope(ROOT_CONTEXT, other), () => injectTraceContext(span, {}));
    expect(injected).toEqual({ traceparent: `00-${TRACE_ID}-${span.spanContext().spanId}-01` });
  });
});

describe('injectTraceContext: invariants', () => {
  it.each(nothing)('with tracing off it returns at once and touches nothing: %s', (_what, span) => {
    const carrier = untouchable();
    expect(injectTraceContext(span, carrier) === carrier).toBe(true);
  });

  it('only adds to the mapping that it is given: other entries stay', () => {
    const carrier = { 'x-custom': '1', baggage: 'a=b' };
    const given = injectTraceContext(spanIn(ROOT_CONTEXT), carrier);
    expect(given).toBe(carrier);
    expect(carrier).toEqual({ 'x-custom': '1', baggage: 'a=b', traceparent: expect.any(String) });
  });

  it.each([null, undefined])('the carrier %p gives a new mapping when there is something to inject', (carrier) => {
    const [first, second] = [injectTraceContext(spanIn(ROOT_CONTEXT), carrier), injectTraceContext(spanIn(ROOT_CONTEXT), carrier)];
    expect(first).toEqual({ traceparent: expect.any(String) });
    expect(first).not.toBe(second);
  });

  it.each(nothing)('without something to inject the carrier comes back as it was, null included: %s', (_what, span) => {
    const carrier = { a: '1' };
    expect([injectTraceContext(span, null), injectTraceContext(span, undefined), injectTraceContext(span)]).toEqual([null, undefined, undefined]);
    expect(injectTraceContext(span, carrier)).toBe(carrier);
    expect(carrier).toEqual({ a: '1' });
  });

  it('needs no registered propagator, and one that fails is not asked', () => {
    propagation.setGlobalPropagator({ inject: fails, extract: fails, fields: () => [] });
    expect(injectTraceContext(spanIn(ROOT_CONTEXT), {})).toEqual({ traceparent: expect.any(String) });
  });

  it('the span\'s ids are injected as they are before generate is called', () => {
    const span = spanIn(ROOT_CONTEXT);
    const generate = (headers: Record<string, string>): string | undefined => headers['traceparent'];
    expect(generate(injectTraceContext(span, {}))).toContain(span.spanContext().spanId);
    span.end();
  });

  it.each<[string, CarrierTarget, (carrier: never) => unknown]>([
    ['a Map', new Map<string, string>(), (carrier: Map<string, string>) => carrier.get('traceparent')],
    ['Fetch Headers', new Headers(), (carrier: Headers) => carrier.get('traceparent')],
  ])('takes %s for a carrier', (_what, carrier, read) => {
    expect(read(injectTraceContext(spanIn(ROOT_CONTEXT), carrier) as never)).toMatch(/^00-/);
  });
});

describe('engineTraceHeaders (SGLang external_trace_header)', () => {
  const scope: TraceScope = { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, tracestate: 'foo=1', xRequestId: 'mine', requestId: '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b' };

  it('is a mapping with traceparent, and tracestate and request ids when known', () => {
    expect(engineTraceHeaders(setTraceScope(ROOT_CONTEXT, scope))).toEqual({
      traceparent: `00-${TRACE_ID}-${SPAN_ID}-01`, tracestate: 'foo=1', 'x-request-id': 'mine', 'request-id': scope.requestId,
    });
    expect(engineTraceHeaders(inbound())).toEqual({ traceparent: `00-${TRACE_ID}-${SPAN_ID}-01` });
  });

  it('is undefined when tracing is off', () => {
    expect(engineTraceHeaders()).toBeUndefined();
    expect(engineTraceHeaders(ROOT_CONTEXT)).toBeUndefined();
  });

  it.each<[string, Partial<TraceScope>]>([
    ['a trace id of 31 digits', { traceId: TRACE_ID.slice(1) }],
    ['a trace id of 33 digits', { traceId: `${TRACE_ID}0` }],
    ['a trace id of 31 digits and a span id of 17', { traceId: TRACE_ID.slice(1), spanId: `${SPAN_ID}0` }],
    ['an upper-case trace id', { traceId: TRACE_ID.toUpperCase() }],
    ['a zero trace id', { traceId: '0'.repeat(32) }],
    ['a span id of 15 digits', { spanId: SPAN_ID.slice(1) }],
    ['an upper-case span id', { spanId: SPAN_ID.toUpperCase() }],
    ['a span id that is not hex', { spanId: 'g'.repeat(16) }],
    ['empty ids', { traceId: '', spanId: '' }],
    ['an id that is no text', { traceId: 5 as unknown as string }],
  ])('is undefined for %s: ids are checked before the header is built', (_what, broken) => {
    expect(engineTraceHeaders(setTraceScope(ROOT_CONTEXT, { ...scope, ...broken }))).toBeUndefined();
  });

  it.each(nothing.slice(2))('is undefined and does not throw for %s', (_what, span) => {
    expect(engineTraceHeaders(trace.setSpan(ROOT_CONTEXT, span!))).toBeUndefined();
  });

  it('does not throw for a context that throws', () => {
    expect(engineTraceHeaders({ getValue: fails, setValue: fails, deleteValue: fails })).toBeUndefined();
  });

  it.each(['aggregated', 'prefill', 'decode'])('names the current span in the %s path', (leg) => {
    const span = tracer.startSpan(leg, {}, inbound());
    expect(runInContext(trace.setSpan(inbound(), span), () => engineTraceHeaders())).toEqual({ traceparent: `00-${TRACE_ID}-${span.spanContext().spanId}-01` });
  });

  it('a detached prefill task finds the current span when its function is bound', async () => {
    const span = spanIn(inbound());
    const tasks: (() => unknown)[] = [];
    runInContext(trace.setSpan(inbound(), span), () => tasks.push(bindTrace(() => engineTraceHeaders()), () => engineTraceHeaders()));
    await Promise.resolve();
    expect(tasks.map((task) => task())).toEqual([{ traceparent: `00-${TRACE_ID}-${span.spanContext().spanId}-01` }, undefined]);
  });
});
