import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';
import { startHarness, type Collector, type Harness } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';

const TRACE_ID = '5b8efff798038103d269b633813fc60c';
const SPANS = {
  resourceSpans: [{
    resource: { attributes: [{ key: 'service.name', value: { stringValue: 'gateway' } }] },
    scopeSpans: [{
      scope: { name: 'rust' },
      spans: [{
        traceId: TRACE_ID, spanId: 'eee19b7ec3c1b174', parentSpanId: '', name: 'http-request', kind: 2, startTimeUnixNano: '1544712660000000000', endTimeUnixNano: '1544712661000000000', traceState: 'a=1',
        attributes: [
          { key: 'worker', value: { intValue: '18446744073709551' } }, { key: 'small', value: { intValue: 7 } }, { key: 'ok', value: { boolValue: true } }, { key: 'ms', value: { doubleValue: 1.5 } },
          { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }] } } }, { key: 'map', value: { kvlistValue: { values: [{ key: 'k', value: { stringValue: 'v' } }] } } },
        ],
        events: [{ name: 'first token', timeUnixNano: '1544712660500000000' }], links: [{ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }], status: { code: 2, message: 'no' }, flags: 0x300,
      }],
    }],
  }],
};

describe('a collector', () => {
  let harness: Harness;
  let collector: Collector;

  beforeEach(async () => {
    harness = await startHarness();
    collector = await harness.collector();
  });
  afterEach(() => harness.close());

  const post = (path: string, type: string, body: string | Buffer, headers: Record<string, string> = {}): Promise<Response> => fetch(collector.url + path, { method: 'POST', headers: { 'content-type': type, ...headers }, body: body as string });

  it.each(['plain', 'gzip'])('takes OTLP in JSON, %s', async (encoding) => {
    const body = JSON.stringify(SPANS);
    const res = encoding === 'gzip' ? await post('/v1/traces', 'application/json', gzipSync(body), { 'content-encoding': 'gzip' }) : await post('/v1/traces', 'application/json; charset=utf-8', body);
    expect([res.status, await res.text()]).toEqual([200, '{}']);
    const [span] = (await harness.trace(TRACE_ID)).spans;
    expect(span).toEqual({
      name: 'http-request', traceId: TRACE_ID, spanId: 'eee19b7ec3c1b174', parentSpanId: undefined, parentIsRemote: true, kind: 'server', status: 'error', statusMessage: 'no', tracestate: 'a=1', tracer: 'rust', service: 'gateway',
      startMs: 1544712660000, durationMs: 1000, attributes: { worker: 18446744073709551n, small: 7, ok: true, ms: 1.5, list: ['a'], map: { k: 'v' } },
      events: [{ name: 'first token', timeMs: 1544712660500, attributes: {} }], links: [{ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', attributes: {} }],
    });
  });

  it('takes OTLP in protobuf as an SDK serialises it', async () => {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- not a dependency of ours: the exporter brings it
    const { ProtobufTraceSerializer } = require('@opentelemetry/otlp-transformer') as { ProtobufTraceSerializer: { serializeRequest(spans: unknown): Uint8Array } };
    const finished: unknown[] = [];
    const provider = new BasicTracerProvider({ spanProcessors: [{ onStart: () => undefined, onEnd: (span) => finished.push(span), forceFlush: async () => {}, shutdown: async () => {} }] });
    const span = provider.getTracer('proto').startSpan('http-request', { kind: SpanKind.SERVER, attributes: { text: 'é', int: 42, double: 1.5, flag: false, list: ['a', 'b'], negative: -3 } });
    span.addEvent('e', { k: 1 });
    span.setStatus({ code: SpanStatusCode.ERROR, message: 'bad' });
    span.end();
    const res = await post('/v1/traces', 'application/x-protobuf', Buffer.from(ProtobufTraceSerializer.serializeRequest(finished)));
    expect(res.status).toBe(200);
    const [seen] = (await harness.trace(span.spanContext().traceId)).spans;
    expect(seen).toMatchObject({ name: 'http-request', kind: 'server', status: 'error', statusMessage: 'bad', tracer: 'proto', attributes: { text: 'é', int: 42, double: 1.5, flag: false, list: ['a', 'b'], negative: -3 }, events: [{ name: 'e', attributes: { k: 1 } }] });
  });

  it('waits for parents that have not come yet', async () => {
    const one = (spanId: string, parentSpanId: string, name: string): string => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: TRACE_ID, spanId, parentSpanId, name, startTimeUnixNano: '1', endTimeUnixNano: '2' }] }] }] });
    await post('/v1/traces', 'application/json', one('cccccccccccccccc', 'bbbbbbbbbbbbbbbb', 'leaf'));
    await post('/v1/traces', 'application/json', one('dddddddddddddddd', 'bbbbbbbbbbbbbbbb', 'leaf2'));
    await expect(harness.trace(TRACE_ID, { timeoutMs: 20 })).rejects.toMatchObject({ missing: ['the parent bbbbbbbbbbbbbbbb of span leaf', 'the parent bbbbbbbbbbbbbbbb of span leaf2'] });
    const waited = harness.trace(TRACE_ID);
    await post('/v1/traces', 'application/json', one('bbbbbbbbbbbbbbbb', '', 'root'));
    expect(await waited).toMatchTree('root\n  leaf\n  leaf2');
  });

  it('takes OTLP logs as records', async () => {
    const body = { resourceLogs: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'gateway' } }] }, scopeLogs: [{ logRecords: [{ severityText: 'INFO', body: { stringValue: 'request completed' }, attributes: [{ key: 'status', value: { stringValue: 'success' } }, { key: 'request_id', value: { stringValue: 'r' } }], traceId: TRACE_ID, spanId: 'eee19b7ec3c1b174' }] }] }] };
    await post('/v1/traces', 'application/json', JSON.stringify(SPANS));
    await post('/v1/logs', 'application/json', JSON.stringify(body));
    expect(await harness.trace(TRACE_ID)).toHaveCompletedOnce({ status: 'success' }, { service: 'gateway' });
    await post('/v1/logs', 'application/json', JSON.stringify(body).replaceAll('gateway', 'edge'));
    expect(await harness.trace(TRACE_ID)).toHaveCompletedOnce({ status: 'success' });
    expect((await harness.trace(TRACE_ID)).recordsOf('request completed').map(({ service }) => service)).toEqual(['gateway', 'edge']);
  });

  it('says what it does not take', async () => {
    const grpc = await post('/v1/traces', 'application/grpc', 'x');
    expect([grpc.status, await grpc.text()]).toEqual([415, "the harness's collector takes: application/json or application/x-protobuf: OTLP over HTTP, not gRPC\n"]);
    expect((await post('/v2', 'application/json', '{}')).status).toBe(404);
    expect((await post('/v1/traces', 'application/json', '{')).status).toBe(400);
    expect((await post('/v1/traces', 'application/x-protobuf', Buffer.from([0x0a, 0xff]))).status).toBe(400);
    expect((await post('/v1/metrics', 'application/json', '{}')).status).toBe(200);
    expect(collector.received).toBe(1);
  });
});

describe('a gateway in another process', () => {
  let harness: Harness;
  let child: ChildProcess | undefined;

  beforeEach(async () => {
    harness = await startHarness({ timeoutMs: 5000 });
  });
  afterEach(async () => {
    child?.kill();
    await harness.close();
  });

  it('is asserted about as one in this process is', async () => {
    const worker = await harness.worker('dynamo.backend.generate');
    const collector = await harness.collector();
    child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'support', 'gateway-process.ts')], { env: { ...process.env, ...collector.env, WORKER: worker.address, DYN_LOG: 'info', DYN_LOGGING_JSONL: '1' }, stdio: ['ignore', 'pipe', 'pipe'] });
    const lines = createInterface({ input: child.stdout! });
    const [line] = await once(lines, 'line') as [string];
    lines.close();
    const gateway = await harness.attach({ url: line.replace('listening on ', ''), collector, logs: child.stderr! });
    const res = await gateway.fetch('/v1/chat/completions', { method: 'POST', headers: { 'content-type': 'application/json', 'x-request-id': 'remote-1', traceparent: '00-aaaabbbbccccddddeeeeffff00001111-00f067aa0ba902b7-01' }, body: JSON.stringify({ model: 'm', messages: [] }) });
    expect(res.status).toBe(200);
    expect(res).toEchoRequestId('remote-1');
    expect(worker).toHaveReceivedTraceOf(res);
    const trace = await harness.trace(res);
    expect(trace).toMatchTree('http-request\n  router.route_request\n    handle_payload');
    expect(trace).toBeConnectedTrace();
    expect(trace).toHaveCompletedOnce({ status: 'success' });
    expect(harness).toHavePropagated(res);
  }, 20_000);

  it('refuses what is no URL', async () => {
    await expect(harness.attach({ url: 'localhost:8000' })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
  });
});
