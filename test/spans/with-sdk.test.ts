import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, type Context } from '@opentelemetry/api';
import { AlwaysOffSampler, ParentBasedSampler, AlwaysOnSampler } from '@opentelemetry/sdk-trace-base';
import { SPANS, startSpan, type SpanStart } from '../../src/spans/index.js';
import { currentTraceContext, parseTraceparent, remoteSpanContext, runInContext, traceHeaders } from '../../src/trace-context/index.js';
import { REQUEST_ID, settings, SPAN_ID, startSdk, TRACE_ID, type Sdk } from './support.js';

function incoming(flags = 1, tracestate: string | undefined = 'a=1'): Context {
  return trace.setSpanContext(ROOT_CONTEXT, remoteSpanContext({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: flags, tracestate }));
}

function start(definition: keyof typeof SPANS = 'inferenceRequest', options: Partial<SpanStart> = {}) {
  return startSpan(SPANS[definition], { settings: settings(), parent: ROOT_CONTEXT, fields: {}, ...options });
}

let sdk: Sdk;
beforeEach(() => {
  sdk = startSdk();
});
afterEach(() => sdk.stop());

describe('startSpan with an SDK', () => {
  it('makes a span of the catalogue: name, kind, attributes, scope of this package', () => {
    const span = start('inferenceRequest', { fields: { method: 'POST', request_id: REQUEST_ID, instance_id: 2n ** 64n - 1n, x_request_id: undefined } });
    span.end();
    const [made] = sdk.ended();
    expect(made).toMatchObject({ name: 'http-request', kind: SpanKind.SERVER, instrumentationScope: { name: 'dynamo-tracing' } });
    expect(made?.attributes).toEqual({ method: 'POST', request_id: REQUEST_ID, instance_id: '18446744073709551615' });
    expect(made?.instrumentationScope.version).toMatch(/^\d+\.\d+\.\d+/);
  });

  it.each(Object.entries(SPANS))('%s has the name and kind that the catalogue says', (_use, definition) => {
    startSpan(definition, { settings: settings('trace'), parent: ROOT_CONTEXT, fields: {} }).end();
    expect(sdk.ended()[0]).toMatchObject({ name: definition.name, kind: definition.kind });
  });

  it('takes another kind, for a child of an HTTP server span', () => {
    start('inferenceRequest', { kind: SpanKind.INTERNAL }).end();
    expect(sdk.ended()[0]?.kind).toBe(SpanKind.INTERNAL);
  });

  it('takes another name, in the SDK, in its scope and no other', () => {
    const span = start('httpClient', { name: 'POST' });
    span.end();
    expect([sdk.ended()[0]?.name, span.scope.spanName]).toEqual(['POST', 'POST']);
  });

  it('is a child of the incoming context and keeps trace id, tracestate and the random flag', () => {
    const span = start('inferenceRequest', { parent: incoming(3) });
    span.end();
    const [made] = sdk.ended();
    expect(made?.parentSpanContext).toMatchObject({ traceId: TRACE_ID, spanId: SPAN_ID, isRemote: true });
    expect(span.scope).toMatchObject({ traceId: TRACE_ID, spanId: made?.spanContext().spanId, parentId: SPAN_ID, traceFlags: 3, tracestate: 'a=1', spanName: 'http-request' });
    expect(traceHeaders(span.context)).toMatchObject({ traceparent: `00-${TRACE_ID}-${span.scope.spanId}-03`, tracestate: 'a=1' });
  });

  it('is a root without a parent', () => {
    const span = start();
    span.end();
    expect(span.scope.parentId).toBeUndefined();
    expect(sdk.ended()[0]?.parentSpanContext).toBeUndefined();
  });

  it('gives a child inside a request the request\'s ids and log fields', () => {
    const request = start('inferenceRequest', { parent: incoming(3), identity: { requestId: REQUEST_ID, xRequestId: 'order 42' }, logFields: { uri: '/x' } });
    const child = start('routeRequest', { parent: request.context });
    expect(child.scope).toMatchObject({ traceId: TRACE_ID, parentId: request.scope.spanId, requestId: REQUEST_ID, xRequestId: 'order 42', spanName: 'router.route_request', logFields: { uri: '/x' }, traceFlags: 3 });
    expect(child.scope.spanId).not.toBe(request.scope.spanId);
  });

  it('does not inherit ids when the span begins a request of its own', () => {
    const outer = start('inferenceRequest', { identity: { requestId: REQUEST_ID, xRequestId: 'outer' } });
    const inner = start('handlePayload', { parent: outer.context, identity: { requestId: 'other', xRequestId: undefined } });
    expect(inner.scope).toMatchObject({ requestId: 'other', xRequestId: undefined });
  });

  it('is a child of a span that somebody else opened inside the request', () => {
    const request = start('inferenceRequest', { identity: { requestId: REQUEST_ID } });
    const theirs = trace.getTracer('theirs').startSpan('handler', {}, request.context);
    const child = start('routeRequest', { parent: trace.setSpan(request.context, theirs) });
    expect(child.scope).toMatchObject({ parentId: theirs.spanContext().spanId, requestId: REQUEST_ID });
  });

  it('keeps links', () => {
    const link = { context: remoteSpanContext({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, tracestate: undefined }) };
    start('inferenceRequest', { links: [link] }).end();
    expect(sdk.ended()[0]?.links).toMatchObject([{ context: { traceId: TRACE_ID, spanId: SPAN_ID } }]);
  });

  it('is the current span and the current trace context inside its context', () => {
    const span = start('inferenceRequest', { identity: { requestId: REQUEST_ID } });
    runInContext(span.context, () => {
      expect(trace.getActiveSpan()?.spanContext().spanId).toBe(span.scope.spanId);
      expect(currentTraceContext()).toMatchObject({ spanId: span.scope.spanId, requestId: REQUEST_ID });
    });
  });
});

describe('sampling', () => {
  it('of an unsampled parent gives ids of its own, no sampled flag, and records nothing', () => {
    const span = start('inferenceRequest', { parent: incoming(2) });
    expect(span.recording).toBe(false);
    expect(span.scope).toMatchObject({ traceId: TRACE_ID, parentId: SPAN_ID, traceFlags: 2 });
    expect(span.scope.spanId).not.toBe(SPAN_ID);
    span.set({ model: 'm' });
    span.fail('internal');
    span.end();
    expect(sdk.ended()).toEqual([]);
    expect(traceHeaders(span.context).traceparent).toBe(`00-${TRACE_ID}-${span.scope.spanId}-02`);
  });

  it('by a sampler that says no is what the headers say, whatever the caller said', () => {
    sdk.stop();
    sdk = startSdk({ sampler: new AlwaysOffSampler() });
    const span = start('inferenceRequest', { parent: incoming(1) });
    expect(parseTraceparent(traceHeaders(span.context).traceparent!)?.traceFlags).toBe(TraceFlags.NONE);
  });

  it('by a sampler that says yes raises the flag of an unsampled caller', () => {
    sdk.stop();
    sdk = startSdk({ sampler: new ParentBasedSampler({ root: new AlwaysOnSampler(), remoteParentNotSampled: new AlwaysOnSampler() }) });
    const span = start('inferenceRequest', { parent: incoming(0) });
    expect(span.scope.traceFlags).toBe(TraceFlags.SAMPLED);
    expect(span.recording).toBe(true);
  });
});

describe('a started span', () => {
  it('takes fields, raw attributes and events until it ends', () => {
    const span = start('inferenceRequest', { settings: settings('', 'both') });
    span.set({ model: 'm', output_tokens: 3, decode_worker_id: 7587894189871522064n });
    span.setRaw({ 'server.address': '127.0.0.1' });
    span.event('migrated', { from: 1n, status: 'x' });
    span.end();
    span.set({ model: 'late' });
    span.setRaw({ late: true });
    span.event('late');
    const [made] = sdk.ended();
    expect(made?.attributes).toEqual({ model: 'm', 'gen_ai.request.model': 'm', output_tokens: 3, 'gen_ai.usage.output_tokens': 3, decode_worker_id: '7587894189871522064', 'server.address': '127.0.0.1' });
    expect(made?.events.map(({ name, attributes }) => [name, attributes])).toEqual([['migrated', { from: '1', status: 'x' }]]);
  });

  it('ends once, however often it is asked to', () => {
    const span = start();
    expect(span.recording).toBe(true);
    span.end();
    span.end();
    expect(span.recording).toBe(false);
    expect(sdk.ended()).toHaveLength(1);
  });

  it('ends at a moment that has passed, when it is given', () => {
    const before = performance.now();
    const span = start();
    const moment = performance.now();
    while (performance.now() <= moment + 1);
    span.end(moment);
    const [seconds, nanos] = sdk.ended()[0]!.duration;
    expect(seconds * 1000 + nanos / 1e6).toBeLessThan(moment - before + 0.01);
  });

  it('has an unset status when nothing failed', () => {
    start().end();
    expect(sdk.ended()[0]?.status).toEqual({ code: SpanStatusCode.UNSET });
  });

  it.each<[[string, string?], string]>([
    [['internal'], 'internal'],
    [['overload', 'no permit left'], 'no permit left'],
  ])('failed with %j has error.type and an error status with the message %j', (args, message) => {
    const span = start();
    span.fail(...args);
    span.end();
    expect(sdk.ended()[0]).toMatchObject({ status: { code: SpanStatusCode.ERROR, message }, attributes: { 'error.type': args[0] } });
  });
});

describe('a span that DYN_LOG leaves out', () => {
  const off = { settings: settings('info,request_span=off') };

  it.each([
    ['info', 'systemRequest', 0],
    ['', 'systemRequest', 0],
    ['debug', 'systemRequest', 1],
    ['system_span=debug', 'systemRequest', 1],
    ['info,system_span=debug', 'systemRequest', 1],
    ['error', 'inferenceRequest', 1],
    ['off', 'inferenceRequest', 1],
    ['request_span=off', 'inferenceRequest', 0],
    ['info,request_span=warn', 'inferenceRequest', 0],
    ['request_span=info', 'inferenceRequest', 1],
    ['debug,request_span=off', 'systemRequest', 1],
  ] as const)('DYN_LOG=%j and %s: %i', (directives, definition, count) => {
    start(definition, { settings: settings(directives) }).end();
    expect(sdk.ended()).toHaveLength(count);
  });

  it('passes its parent on and keeps the request ids', () => {
    const span = start('inferenceRequest', { ...off, parent: incoming(3), identity: { requestId: REQUEST_ID, xRequestId: 'x' }, logFields: { uri: '/x' } });
    expect(span.scope).toEqual({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 3, tracestate: 'a=1', requestId: REQUEST_ID, xRequestId: 'x', logFields: { uri: '/x' } });
    expect(traceHeaders(span.context)).toEqual({ traceparent: `00-${TRACE_ID}-${SPAN_ID}-03`, tracestate: 'a=1', 'x-request-id': 'x', 'request-id': REQUEST_ID });
  });

  it('draws ids when it has no parent', () => {
    const span = start('inferenceRequest', { ...off, identity: { requestId: REQUEST_ID } });
    expect(traceHeaders(span.context)).toEqual({ traceparent: `00-${span.scope.traceId}-${span.scope.spanId}-01`, 'request-id': REQUEST_ID });
    expect(start('inferenceRequest', off).scope.traceId).not.toBe(span.scope.traceId);
  });

  it('goes on with the ids that were drawn, one level further in', () => {
    const outer = start('inferenceRequest', { ...off, identity: { requestId: REQUEST_ID } });
    const inner = start('routeRequest', { ...off, parent: outer.context });
    expect(inner.scope).toEqual(outer.scope);
  });

  it('inside a request leaves the request\'s scope as it is: parent id, name, random flag', () => {
    const request = start('inferenceRequest', { parent: incoming(3), identity: { requestId: REQUEST_ID } });
    const inner = start('routeRequest', { ...off, parent: request.context });
    expect(inner.scope).toEqual(request.scope);
    expect(traceHeaders(inner.context)).toEqual(traceHeaders(request.context));
  });

  it('inside a span that somebody else opened goes on with that span in headers', () => {
    const request = start('inferenceRequest', { parent: incoming(3), identity: { requestId: REQUEST_ID } });
    const theirs = trace.getTracer('theirs').startSpan('handler', {}, request.context);
    const inner = start('routeRequest', { ...off, parent: trace.setSpan(request.context, theirs) });
    expect(traceHeaders(inner.context).traceparent).toBe(`00-${TRACE_ID}-${theirs.spanContext().spanId}-03`);
    expect(inner.scope.spanId).toBe(request.scope.spanId);
  });

  it('takes every call and does nothing', () => {
    const span = start('inferenceRequest', off);
    expect(span.recording).toBe(false);
    span.set({ model: 'm' });
    span.setRaw({ a: 1 });
    span.event('e');
    span.fail('internal');
    span.end();
    span.end();
    expect(sdk.ended()).toEqual([]);
  });
});
