import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ROOT_CONTEXT, trace, type Span, type Tracer } from '@opentelemetry/api';
import { SPANS, startSpan } from '../../src/spans/index.js';
import type * as Spans from '../../src/spans/index.js';
import { isTraceId, remoteSpanContext } from '../../src/trace-context/index.js';
import { REQUEST_ID, settings, SPAN_ID, TRACE_ID } from './support.js';

const warn = jest.spyOn(process, 'emitWarning');
beforeEach(() => {
  warn.mockReset().mockReturnValue(undefined);
});
afterEach(() => trace.disable());

function fail(what: string): never {
  throw new Error(`${what} is broken`);
}

/** Everything about a span that can throw does. */
const BROKEN_SPAN = new Proxy({ spanContext: () => ({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1 }) } as Span, {
  get: (target, name) => (name === 'spanContext' ? target.spanContext : () => fail(String(name))),
});

function register(startSpanOf: () => unknown, getTracer: () => Tracer = () => ({ startSpan: startSpanOf, startActiveSpan: startSpanOf }) as Tracer): void {
  trace.setGlobalTracerProvider({ getTracer });
}

describe('a tracer that is broken', () => {
  it.each<[string, () => void]>([
    ['throws in startSpan', () => register(() => fail('startSpan'))],
    ['throws in getTracer', () => register(() => undefined, () => fail('getTracer'))],
    ['gives undefined for a span', () => register(() => undefined)],
    ['gives null for a span', () => register(() => null)],
    ['gives a span without a context', () => register(() => ({}))],
    ['gives a span whose context throws', () => register(() => ({ spanContext: () => fail('spanContext') }))],
  ])('and %s: the request goes on with ids drawn here', (_what, prepare) => {
    prepare();
    const parent = trace.setSpanContext(ROOT_CONTEXT, remoteSpanContext({ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1, tracestate: undefined }));
    const root = startSpan(SPANS.inferenceRequest, { settings: settings(), parent: ROOT_CONTEXT, fields: {}, identity: { requestId: REQUEST_ID } });
    const child = startSpan(SPANS.inferenceRequest, { settings: settings(), parent, fields: {} });
    expect(isTraceId(root.scope.traceId)).toBe(true);
    expect(root.scope.requestId).toBe(REQUEST_ID);
    expect(child.scope).toMatchObject({ traceId: TRACE_ID, parentId: SPAN_ID });
    root.end();
  });

  it('is reported once', () => {
    jest.isolateModules(() => {
      // A fresh copy: what has been reported is state of the module.
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const fresh = require('../../src/spans/index.js') as typeof Spans;
      register(() => fail('startSpan'));
      for (let i = 0; i < 3; i += 1) fresh.startSpan(SPANS.inferenceRequest, { settings: settings(), parent: ROOT_CONTEXT, fields: {} });
    });
    expect(warn.mock.calls.map(([text]) => text)).toEqual(['tracer.startSpan failed: startSpan is broken (reported once)']);
  });
});

describe('a span that throws from everything', () => {
  it('breaks nothing', () => {
    register(() => BROKEN_SPAN);
    const span = startSpan(SPANS.inferenceRequest, { settings: settings(), parent: ROOT_CONTEXT, fields: {} });
    expect(span.scope.spanId).toBe(SPAN_ID);
    expect(span.recording).toBe(false);
    span.set({ model: 'm' });
    span.fail('internal');
    span.event('e');
    span.end();
    span.end();
  });

  it('breaks nothing while it claims to be recording', () => {
    register(() => new Proxy(BROKEN_SPAN, { get: (target, name) => (name === 'isRecording' ? () => true : Reflect.get(target, name) as unknown) }));
    const span = startSpan(SPANS.inferenceRequest, { settings: settings(), parent: ROOT_CONTEXT, fields: {} });
    expect(span.recording).toBe(true);
    span.set({ model: 'm' });
    span.setRaw({ a: 1 });
    span.fail('internal');
    span.event('e');
    span.end();
    expect(span.recording).toBe(false);
  });
});
