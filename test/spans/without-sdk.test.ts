import { describe, expect, it } from '@jest/globals';
import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { SPANS, startSpan, withRoutingSpan } from '../../src/spans/index.js';
import { activeContext, currentTraceContext, getTraceScope, isSpanId, isTraceId, remoteSpanContext, runInContext, traceHeaders } from '../../src/trace-context/index.js';
import { REQUEST_ID, settings, SPAN_ID, TRACE_ID } from './support.js';

describe('startSpan without an SDK', () => {
  it('draws ids for a request that brings none: sampled, without the random flag, which Dynamo does not read', () => {
    const { scope, recording } = startSpan(SPANS.inferenceRequest, { settings: settings(), parent: ROOT_CONTEXT, fields: {}, identity: { requestId: REQUEST_ID } });
    expect(recording).toBe(false);
    expect([isTraceId(scope.traceId), isSpanId(scope.spanId)]).toEqual([true, true]);
    expect(scope).toMatchObject({ traceFlags: 1, parentId: undefined, requestId: REQUEST_ID, spanName: 'http-request' });
  });

  it.each([0, 1, 2, 3])('is a child of an incoming context with flags %i and keeps them', (traceFlags) => {
    const parent = trace.setSpanContext(ROOT_CONTEXT, remoteSpanContext({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags, tracestate: 'a=1,b@c=2' }));
    const span = startSpan(SPANS.inferenceRequest, { settings: settings(), parent, fields: {} });
    expect(span.scope).toMatchObject({ traceId: TRACE_ID, parentId: SPAN_ID, traceFlags, tracestate: 'a=1,b@c=2' });
    expect(span.scope.spanId).not.toBe(SPAN_ID);
    expect(traceHeaders(span.context)).toEqual({ traceparent: `00-${TRACE_ID}-${span.scope.spanId}-0${traceFlags}`, tracestate: 'a=1,b@c=2' });
  });

  it('ignores an invalid parent', () => {
    const parent = trace.setSpanContext(ROOT_CONTEXT, { traceId: '0'.repeat(32), spanId: SPAN_ID, traceFlags: 1 });
    expect(startSpan(SPANS.inferenceRequest, { settings: settings(), parent, fields: {} }).scope).toMatchObject({ parentId: undefined, traceFlags: 1 });
  });

  it('makes a chain of spans in one trace', () => {
    const request = startSpan(SPANS.inferenceRequest, { settings: settings(), parent: ROOT_CONTEXT, fields: {}, identity: { requestId: REQUEST_ID } });
    const attempt = startSpan(SPANS.routeRequest, { settings: settings(), parent: request.context, fields: {} });
    expect(attempt.scope).toMatchObject({ traceId: request.scope.traceId, parentId: request.scope.spanId, requestId: REQUEST_ID });
  });

  it.each<[string, string]>([['of its own', 'request_span=off'], ['as a system request at info', 'info']])('continues the trace of a request whose span was left out, %s', (_how, directives) => {
    const request = startSpan(directives === 'info' ? SPANS.systemRequest : SPANS.inferenceRequest, { settings: settings(directives), parent: ROOT_CONTEXT, fields: {}, identity: { requestId: REQUEST_ID } });
    const attempt = startSpan(SPANS.routeRequest, { settings: settings(), parent: request.context, fields: {} });
    expect(attempt.scope).toMatchObject({ traceId: request.scope.traceId, parentId: request.scope.spanId, requestId: REQUEST_ID });
    expect(attempt.scope.spanId).not.toBe(request.scope.spanId);
  });

  it('is current inside its context, after await and in timers too', async () => {
    const span = startSpan(SPANS.inferenceRequest, { settings: settings(), parent: ROOT_CONTEXT, fields: {}, identity: { requestId: REQUEST_ID } });
    await runInContext(span.context, async () => {
      expect(currentTraceContext()?.spanId).toBe(span.scope.spanId);
      await new Promise((resolve) => setTimeout(resolve, 1));
      expect(getTraceScope(activeContext())).toBe(span.scope);
    });
    expect(currentTraceContext()).toBeUndefined();
  });

  it('has routing spans too', () => {
    const request = startSpan(SPANS.inferenceRequest, { settings: settings(), parent: ROOT_CONTEXT, fields: {} });
    const inner = runInContext(request.context, () => withRoutingSpan('prefill_routing', () => currentTraceContext()));
    expect(inner).toMatchObject({ traceId: request.scope.traceId, parentId: request.scope.spanId });
  });
});
