import { context, defaultTextMapGetter, defaultTextMapSetter, INVALID_SPAN_CONTEXT, propagation, ROOT_CONTEXT, trace, type Context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { isTracingSuppressed as coreSuppressed, suppressTracing as coreSuppress } from '@opentelemetry/core';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  carrierOf, DynamoPropagator, extractTrace, headersOf, injectTrace, isTracingSuppressed, remoteSpanContext, setTraceScope, suppressTracing, TRACE_HEADERS, traceHeaders, untrustedPropagator, writeTraceHeaders, type CarrierReader, type CarrierTarget, type TraceScope,
} from '../../src/trace-context/index.js';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN_ID = '00f067aa0ba902b7';
const HEADER = `00-${TRACE_ID}-${SPAN_ID}-01`;
const scope: TraceScope = { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, tracestate: 'foo=1', xRequestId: 'mine', requestId: '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b' };
const extract = (target: unknown) => extractTrace(carrierOf(target as CarrierTarget));

describe('extractTrace', () => {
  it('gives ids, flags and tracestate', () => {
    expect(extract({ traceparent: HEADER, tracestate: 'foo=1, bar=2' })).toEqual({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, tracestate: 'foo=1,bar=2' });
  });

  it('keeps the trace when only the tracestate is bad', () => {
    expect(extract({ traceparent: HEADER, tracestate: 'FOO' })).toEqual({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, tracestate: undefined });
  });

  it('drops the tracestate when there is no good traceparent', () => {
    expect(extract({ tracestate: 'foo=1' })).toBeUndefined();
    expect(extract({ traceparent: 'junk', tracestate: 'foo=1' })).toBeUndefined();
  });

  const future = `cc-${TRACE_ID}-${SPAN_ID}-01-more`;
  it.each<[string, unknown]>([
    ['as an array', [HEADER, HEADER]],
    ['joined', `${HEADER}, ${HEADER}`],
    ['joined, of a later version', `${future}, ${HEADER}`],
    ['joined, both of a later version', `${future},${future}`],
    ['one of them empty', ['', HEADER]],
  ])('refuses a traceparent given twice, %s', (_how, traceparent) => {
    expect(extract({ traceparent })).toBeUndefined();
  });

  it('takes an array of one', () => {
    expect(extract({ traceparent: [HEADER], tracestate: ['foo=1'] })).toMatchObject({ traceId: TRACE_ID, tracestate: 'foo=1' });
  });

  it('does not read a tracestate in an array of anything but text', () => {
    expect(extract({ traceparent: HEADER, tracestate: [['foo=1']] })?.tracestate).toBeUndefined();
    expect(extract({ traceparent: HEADER, tracestate: ['foo=1', 5] })?.tracestate).toBeUndefined();
  });

  it.each<[string, unknown]>([['null', null], ['a number', 5], ['an array of a number', [5]], ['an array of null', [null]], ['an object', {}], ['an object with a length', { length: 1, 0: HEADER }], ['a boolean', true]])('does not throw for values that are %s', (_what, value) => {
    expect(extract({ traceparent: value, tracestate: value })).toBeUndefined();
    expect(extract({ traceparent: HEADER, tracestate: value })).toMatchObject({ traceId: TRACE_ID, tracestate: undefined });
  });

  it('becomes a remote span context', () => {
    const span = remoteSpanContext(extract({ traceparent: HEADER, tracestate: 'a@@b=1' })!);
    expect(span).toMatchObject({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, isRemote: true });
    expect(span.traceState?.serialize()).toBe('a@@b=1');
    expect(remoteSpanContext(extract({ traceparent: HEADER })!)).not.toHaveProperty('traceState');
  });
});

describe('headersOf', () => {
  it('gives the headers in the order of TRACE_HEADERS', () => {
    expect(Object.entries(headersOf(scope))).toEqual([['traceparent', HEADER], ['tracestate', 'foo=1'], ['x-request-id', 'mine'], ['request-id', scope.requestId]]);
    expect(Object.keys(headersOf(scope))).toEqual([...TRACE_HEADERS]);
  });

  it.each<[string, TraceScope | undefined, Record<string, string>]>([
    ['no context', undefined, {}],
    ['ids only', { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1 }, { traceparent: HEADER }],
    ['an empty tracestate', { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, tracestate: '' }, { traceparent: HEADER }],
  ])('leaves out what has no value: %s', (_what, given, expected) => {
    expect(headersOf(given)).toEqual(expected);
  });

  it('gives a fresh record each time', () => {
    const ctx = setTraceScope(ROOT_CONTEXT, scope);
    traceHeaders(ctx).traceparent = 'changed';
    expect(traceHeaders(ctx).traceparent).toBe(HEADER);
  });
});

describe('injectTrace', () => {
  const ctx = setTraceScope(ROOT_CONTEXT, scope);

  it('writes the headers, replaces what was there in any case, and keeps the rest', () => {
    const record: Record<string, string> = { TraceParent: 'old', 'X-Request-Id': 'old', accept: '*/*' };
    injectTrace(carrierOf(record), ctx);
    expect(record).toEqual({ ...headersOf(scope), accept: '*/*' });
  });

  it('writes nothing outside a request', () => {
    const record = { traceparent: 'theirs' };
    injectTrace(carrierOf(record), ROOT_CONTEXT);
    expect(record).toEqual({ traceparent: 'theirs' });
  });

  it('does not leave the tracestate of another trace beside our traceparent', () => {
    const record = { traceparent: `00-${'b'.repeat(32)}-${SPAN_ID}-01`, TraceState: 'theirs=1' };
    injectTrace(carrierOf(record), setTraceScope(ROOT_CONTEXT, { ...scope, tracestate: undefined }));
    expect(record).toEqual(headersOf({ ...scope, tracestate: undefined }));
  });

  it('replaces an x-request-id that is not the caller\'s by the canonical id, and adds none where there was none', () => {
    const own = setTraceScope(ROOT_CONTEXT, { ...scope, xRequestId: undefined });
    expect(injectTrace({ 'X-Request-Id': 'of a client that is not trusted' }, own)).toEqual({ ...headersOf(scope), 'x-request-id': scope.requestId });
    expect(injectTrace({}, own)).not.toHaveProperty('x-request-id');
  });

  it('leaves request ids alone where a span but no request is known', () => {
    const span = trace.setSpanContext(ROOT_CONTEXT, remoteSpanContext({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, tracestate: undefined }));
    expect(injectTrace({ 'x-request-id': 'mine', 'request-id': 'mine too' }, span)).toEqual({ traceparent: HEADER, 'x-request-id': 'mine', 'request-id': 'mine too' });
  });

  it('takes a carrier, or headers of any kind, and returns what it was given', () => {
    const headers = new Headers({ accept: '*/*' });
    expect(injectTrace(headers, ctx)).toBe(headers);
    const map = new Map<string, string>();
    const carrier = carrierOf(map);
    expect(injectTrace(carrier, ctx)).toBe(carrier);
    for (const written of [headers, map]) expect(Object.fromEntries(written)).toMatchObject(headersOf(scope));
  });

  it('is read back by extractTrace', () => {
    for (const target of [{}, new Map<string, string>(), new Headers()] as CarrierTarget[]) {
      injectTrace(carrierOf(target), ctx);
      expect(extract(target)).toEqual({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, tracestate: 'foo=1' });
    }
  });
});

describe('DynamoPropagator, registered globally', () => {
  beforeAll(() => {
    propagation.setGlobalPropagator(new DynamoPropagator());
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(new BasicTracerProvider());
  });
  afterAll(() => {
    propagation.disable();
    context.disable();
    trace.disable();
  });

  const inject = (ctx: Context): Record<string, string> => {
    const carrier: Record<string, string> = {};
    propagation.inject(ctx, carrier);
    return carrier;
  };

  it('names the headers that it writes', () => {
    expect(propagation.fields()).toEqual(['traceparent', 'tracestate']);
  });

  it('continues a trace through the OpenTelemetry API alone: extract, start a span, inject', () => {
    const parent = propagation.extract(ROOT_CONTEXT, { traceparent: HEADER, tracestate: 'a@@b=1' });
    const carrier = trace.getTracer('app').startActiveSpan('server', {}, parent, (span) => {
      const out = inject(context.active());
      expect(out['traceparent']).toBe(`00-${TRACE_ID}-${span.spanContext().spanId}-01`);
      span.end();
      return out;
    });
    expect(carrier).toEqual({ traceparent: expect.any(String), tracestate: 'a@@b=1' });
  });

  it.each<[string, Record<string, unknown>]>([
    ['no header', {}],
    ['a bad traceparent', { traceparent: 'junk' }],
    ['two traceparents', { traceparent: [HEADER, HEADER] }],
  ])('gives the context back as it was for %s', (_what, carrier) => {
    const before = trace.setSpanContext(ROOT_CONTEXT, remoteSpanContext({ traceId: 'b'.repeat(32), spanId: SPAN_ID, traceFlags: 1, tracestate: undefined }));
    expect(propagation.extract(before, carrier)).toBe(before);
  });

  it('writes nothing without a span, and nothing for an invalid one', () => {
    expect(inject(ROOT_CONTEXT)).toEqual({});
    expect(inject(trace.setSpanContext(ROOT_CONTEXT, { traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 }))).toEqual({});
  });

  describe('with requestIds', () => {
    const propagator = new DynamoPropagator({ requestIds: true });
    const injected = (ctx: Context): Record<string, string> => {
      const carrier: Record<string, string> = {};
      propagator.inject(ctx, carrier, defaultTextMapSetter);
      return carrier;
    };
    const inRequest = setTraceScope(ROOT_CONTEXT, scope);

    it('names and writes the ids of the request beside the trace of the span', () => {
      const span = trace.getTracer('undici').startSpan('POST', {}, inRequest);
      const { traceId, spanId } = span.spanContext();
      expect(injected(trace.setSpan(inRequest, span))).toEqual({ traceparent: `00-${traceId}-${spanId}-01`, 'x-request-id': 'mine', 'request-id': scope.requestId });
      expect(propagator.fields()).toEqual([...TRACE_HEADERS]);
    });

    it('writes the ids where an instrumentation made no span', () => {
      expect(injected(trace.setSpanContext(inRequest, INVALID_SPAN_CONTEXT))).toEqual({ 'x-request-id': 'mine', 'request-id': scope.requestId });
    });

    it('writes nothing where tracing is suppressed: the call has its headers from us already', () => {
      expect(injected(suppressTracing(trace.setSpan(inRequest, trace.getTracer('app').startSpan('server'))))).toEqual({});
    });

    it('reads ids no more than without', () => {
      expect(propagator.extract(ROOT_CONTEXT, { 'request-id': scope.requestId }, defaultTextMapGetter)).toBe(ROOT_CONTEXT);
    });

    it('refuses an option that it does not have', () => {
      expect(() => new DynamoPropagator({ requestId: true } as object)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'DynamoPropagator.requestId' }));
    });
  });

  it('suppresses by the key of OpenTelemetry\'s own SDK', () => {
    expect(isTracingSuppressed(suppressTracing(ROOT_CONTEXT))).toBe(true);
    expect(coreSuppressed(suppressTracing(ROOT_CONTEXT))).toBe(true);
    expect(isTracingSuppressed(coreSuppress(ROOT_CONTEXT))).toBe(true);
    expect(isTracingSuppressed(ROOT_CONTEXT)).toBe(false);
  });

  it('writes no request ids', () => {
    const ctx = trace.setSpanContext(setTraceScope(ROOT_CONTEXT, scope), remoteSpanContext({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, tracestate: undefined }));
    expect(Object.keys(inject(ctx))).toEqual(['traceparent', 'tracestate']);
  });

  it('keeps the random flag that the SDK drops', () => {
    const ctx = setTraceScope(propagation.extract(ROOT_CONTEXT, { traceparent: HEADER.replace(/01$/, '03') }), { ...scope, traceFlags: 3 });
    const span = trace.getTracer('app').startSpan('server', {}, ctx);
    expect(inject(trace.setSpan(ctx, span))['traceparent']).toMatch(/-03$/);
  });

  it('uses the getter and the setter that it is given', () => {
    const propagator = new DynamoPropagator();
    const ctx = propagator.extract(ROOT_CONTEXT, [['traceparent', HEADER]], {
      get: (carrier: string[][], key) => carrier.find(([name]) => name === key)?.[1],
      keys: (carrier: string[][]) => carrier.map(([name = '']) => name),
    });
    const written: unknown[] = [];
    propagator.inject(ctx, written, { set: (carrier: unknown[], key, value) => carrier.push([key, value]) });
    expect(written).toEqual([['traceparent', HEADER]]);
  });

  it('reads what it wrote with the API\'s default getter and setter', () => {
    const propagator = new DynamoPropagator();
    const ctx = propagator.extract(ROOT_CONTEXT, { traceparent: HEADER, tracestate: 'foo=1' }, defaultTextMapGetter);
    const carrier = {};
    propagator.inject(ctx, carrier, defaultTextMapSetter);
    expect(carrier).toEqual({ traceparent: HEADER, tracestate: 'foo=1' });
  });
});

describe('untrustedPropagator', () => {
  it('extracts nothing, and injects what the one inside it does', () => {
    const propagator = untrustedPropagator(new DynamoPropagator({ requestIds: true }));
    expect(propagator.extract(ROOT_CONTEXT, { traceparent: HEADER, tracestate: 'foo=1' }, defaultTextMapGetter)).toBe(ROOT_CONTEXT);
    const carrier = {};
    propagator.inject(trace.setSpanContext(setTraceScope(ROOT_CONTEXT, scope), remoteSpanContext({ ...scope, tracestate: undefined })), carrier, defaultTextMapSetter);
    expect(Object.keys(carrier)).toEqual(propagator.fields());
  });

  it('has the package\'s own propagator inside when none is given', () => {
    expect(untrustedPropagator().fields()).toEqual(['traceparent', 'tracestate']);
  });
});

describe('a reader of the user\'s own', () => {
  it('needs get and keys only', () => {
    const reader: CarrierReader = { get: (name) => (name === 'traceparent' ? HEADER : undefined), keys: () => ['traceparent'] };
    expect(extractTrace(reader)).toMatchObject({ traceId: TRACE_ID });
  });
});

it('headers that there is nothing to say of are not there, not even as undefined', () => {
  expect(Object.keys(headersOf({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1 }))).toEqual(['traceparent']);
  expect(Object.keys(headersOf({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, tracestate: '' }))).toEqual(['traceparent']);
  const headers: Record<string, string> = {};
  writeTraceHeaders(carrierOf(headers), {});
  expect(Object.keys(headers)).toEqual([]);
});

it('a list that holds anything but texts is no header', () => {
  expect(extract({ traceparent: HEADER, tracestate: ['foo=1', 7] })).toEqual({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1 });
});
