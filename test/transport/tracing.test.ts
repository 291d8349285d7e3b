import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { currentTraceContext, traceHeaders, type LogEntry } from 'dynamo-tracing';
import type { RequestContext } from 'dynamo-tracing/transport';
import { RecordTap } from '../support/records';
import { until } from '../support/until';
import { cleanUp, collect, failure, makeClient, serve } from './support';

const REQUEST_ID = '7b0c2f3e-9d8a-4c1b-8a61-0f0f3a1c2d3e';
const exporter = new InMemorySpanExporter();
let tap: RecordTap;

beforeEach(() => {
  tap = new RecordTap();
});
afterEach(async () => {
  await cleanUp();
  tap.stop();
  exporter.reset();
});

const spansOf = async (...names: string[]): Promise<ReadableSpan[]> => {
  const found = (): (ReadableSpan | undefined)[] => names.map((name) => exporter.getFinishedSpans().find((span) => span.name === name));
  await until(`spans ${names.join(', ')}`, () => found().every((span) => span !== undefined));
  return found() as ReadableSpan[];
};

const ids = ({ scope }: LogEntry): unknown => ({ traceId: scope?.traceId, spanId: scope?.spanId, requestId: scope?.requestId });

describe('with an OpenTelemetry SDK', () => {
  beforeAll(() => {
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  });
  afterAll(() => {
    trace.disable();
    context.disable();
  });

  it('a call is one trace: client_request, and handle_payload as its child', async () => {
    const seen: RequestContext[] = [];
    const active: unknown[] = [];
    const worker = await serve(async function* (_request, given) {
      seen.push(given);
      active.push(currentTraceContext()?.spanId);
      yield 1;
      await new Promise((resolve) => setImmediate(resolve));
      active.push(currentTraceContext()?.spanId);
      given.log.info('inside');
      yield 2;
      active.push(traceHeaders()['traceparent']);
    });
    await collect(makeClient().generate(worker.address, 1, { requestId: REQUEST_ID }));
    const [client, handler] = await spansOf('client_request', 'handle_payload');
    expect(client!.kind).toBe(SpanKind.CLIENT);
    expect(handler!.kind).toBe(SpanKind.SERVER);
    expect(handler!.spanContext().traceId).toBe(client!.spanContext().traceId);
    expect(handler!.parentSpanContext).toMatchObject({ spanId: client!.spanContext().spanId, isRemote: true });
    expect(handler!.attributes).toMatchObject({ request_id: REQUEST_ID, component: 'backend', endpoint: 'generate', namespace: 'dynamo', instance_id: worker.instanceId.toString() });
    const spanId = handler!.spanContext().spanId;
    expect(active).toEqual([spanId, spanId, expect.stringContaining(spanId)]);
    expect(seen[0]!.trace).toMatchObject({ spanId, parentId: client!.spanContext().spanId, requestId: REQUEST_ID });
    expect(seen[0]!.traceHeaders()).toMatchObject({ traceparent: expect.stringContaining(spanId), 'request-id': REQUEST_ID });
    for (const message of ['request received', 'inside', 'request completed']) {
      expect(tap.of(message).map(ids)).toEqual([{ traceId: client!.spanContext().traceId, spanId, requestId: REQUEST_ID }]);
    }
    expect(await tap.next('request completed')).toMatchObject({ level: 'info', status: 'success', component: 'backend', endpoint: 'generate', namespace: 'dynamo', instance_id: worker.instanceId.toString(), elapsed_ms: expect.any(Number) });
    expect(client!.status.code).toBe(SpanStatusCode.UNSET);
    expect(handler!.status.code).toBe(SpanStatusCode.UNSET);
  });

  it('openStream makes no span and continues the context it is given', async () => {
    const worker = await serve(async function* (_request, given) { yield given.headers['traceparent']; });
    const outer = trace.getTracer('test').startSpan('outer');
    const { traceId, spanId } = outer.spanContext();
    const stream = await makeClient().openStream(worker.address, 1, { context: trace.setSpan(ROOT_CONTEXT, outer) });
    await expect(collect(stream)).resolves.toEqual([`00-${traceId}-${spanId}-01`]);
    outer.end();
    expect(exporter.getFinishedSpans().map((span) => span.name).sort()).toEqual(['handle_payload', 'outer']);
  });

  it('a failure marks both spans, with one completed record', async () => {
    const worker = await serve(async function* () { yield 1; throw new Error('out of memory'); });
    await failure(collect(makeClient().generate(worker.address, 1)));
    const [client, handler] = await spansOf('client_request', 'handle_payload');
    expect(client).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'backend_unknown' } });
    expect(handler).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'backend_unknown' } });
    expect(await tap.next('request completed')).toMatchObject({ level: 'error', status: 'error', error_type: 'internal' });
    expect(tap.of('request completed')).toHaveLength(1);
  });

  it('a cancelled request leaves both statuses unset', async () => {
    const worker = await serve(async function* (_request, given) { for (let i = 0; !given.stopped; i += 1) { yield i; await new Promise((resolve) => setImmediate(resolve)); } });
    for await (const item of makeClient().generate(worker.address, 1)) if (item === 2) break;
    const [client, handler] = await spansOf('client_request', 'handle_payload');
    expect(client).toMatchObject({ status: { code: SpanStatusCode.UNSET }, attributes: { 'cancellation.signal': 'stream_drop' } });
    expect(handler).toMatchObject({ status: { code: SpanStatusCode.UNSET }, attributes: { 'cancellation.signal': 'kill' } });
    expect(handler!.events.map((event) => event.name)).toContain('request cancellation received');
  });

  it('a request that cannot be sent ends its span too', async () => {
    expect(await failure(collect(makeClient().generate('127.0.0.1:1/x', 1)))).toMatchObject({ code: 'ERR_CONNECT_FAILED' });
    const [client] = await spansOf('client_request');
    expect(client).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'cannot_connect' } });
  });
});

describe('without an SDK', () => {
  it('ids are made here and travel all the same', async () => {
    const worker = await serve(async function* (_request, given) { yield given.trace; });
    const [seen] = await collect(makeClient().generate<RequestContext['trace']>(worker.address, 1, { requestId: REQUEST_ID }));
    expect(seen).toMatchObject({ traceId: expect.stringMatching(/^[0-9a-f]{32}$/), parentId: expect.stringMatching(/^[0-9a-f]{16}$/), requestId: REQUEST_ID });
    await tap.next('request completed');
    expect(tap.of('request received').map(ids)).toEqual([{ traceId: seen!.traceId, spanId: seen!.spanId, requestId: REQUEST_ID }]);
  });

  it('headers that do not fit go without tracestate, with a warning; ids and traceparent travel', async () => {
    const worker = await serve(async function* (_request, given) { yield Object.keys(given.headers); });
    const [names] = await collect(makeClient().generate<string[]>(worker.address, 1, { headers: { tracestate: 't'.repeat(70_000) } }));
    expect(names).toEqual(expect.arrayContaining(['traceparent', 'request-id', 'x-frontend-send-ts-ns', 'x-endpoint-path']));
    expect(names).not.toContain('tracestate');
    expect(await tap.next('request headers do not fit their frame: some were left out')).toMatchObject({ level: 'warn', dropped: 'tracestate' });
  });
});
