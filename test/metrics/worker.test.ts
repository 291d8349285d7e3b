/** A worker's metrics: real sockets, a real client, a real registry. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import * as prom from 'prom-client';
import { createWorkerMetrics, type WorkerMetrics } from 'dynamo-tracing/metrics';
import { RequestPlaneClient, RequestPlaneServer, type EndpointHandler, type RequestPlaneServerOptions } from 'dynamo-tracing/transport';
import { encodeTwoPart } from '../../src/protocol/index.js';
import { startSdk } from '../spans/support.js';

const NAME = 'dynamo.backend.generate';
const LABELS = 'model="m",dynamo_namespace="dynamo",dynamo_component="backend",dynamo_endpoint="generate",worker_id="ff"';
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function serve(metrics: WorkerMetrics, handler: EndpointHandler, options: Partial<RequestPlaneServerOptions> = {}) {
  const server = new RequestPlaneServer({ host: '127.0.0.1', instanceId: 255n, logger: false, observer: metrics.observer, env: {}, ...options });
  await server.listen();
  const client = new RequestPlaneClient({ responseHost: '127.0.0.1', logger: false, env: {} });
  closing.push(() => server.close({ graceMs: 0 }), () => client.close());
  return { client, address: server.endpoint(NAME, handler).address };
}

const all = async (items: AsyncIterable<unknown>): Promise<unknown[]> => {
  const found: unknown[] = [];
  for await (const item of items) found.push(item);
  return found;
};
const lines = async (metrics: WorkerMetrics): Promise<string[]> => (await metrics.registry.metrics()).split('\n');
const value = async (metrics: WorkerMetrics, series: string): Promise<number> => Number((await lines(metrics)).find((line) => line.startsWith(`dynamo_${series} `))?.split(' ')[1]);

async function* twoItems(): AsyncGenerator {
  yield { token: 'a' };
  yield { token: 'é' };
}

test("a worker shows Dynamo's names, labels and buckets", async () => {
  const metrics = createWorkerMetrics({ labels: { model: 'm' } });
  const { client, address } = await serve(metrics, twoItems);
  expect(await all(client.generate(address, { prompt: 'hi' }))).toHaveLength(2);
  const text = await lines(metrics);
  for (const line of [
    `dynamo_component_requests_total{${LABELS}} 1`,
    `dynamo_component_inflight_requests{${LABELS}} 0`,
    `dynamo_component_request_duration_seconds_bucket{le="600",${LABELS}} 1`,
    `dynamo_component_response_bytes_total{${LABELS}} ${Buffer.byteLength('{"data":{"data":{"token":"a"}},"complete_final":false}{"data":{"data":{"token":"é"}},"complete_final":false}')}`,
    'dynamo_work_handler_time_to_first_response_seconds_count 1',
    'dynamo_work_handler_permit_wait_seconds_count 1',
    'dynamo_work_handler_network_transit_seconds_count 1',
    'dynamo_work_handler_queue_depth 0',
    'dynamo_work_handler_pool_active_tasks 0',
    'dynamo_work_handler_enqueue_rejected_total 0',
  ]) expect(text).toContain(line);
  expect(await value(metrics, `component_request_bytes_total{${LABELS}}`)).toBeGreaterThan(50);
  expect(await value(metrics, 'component_uptime_seconds')).toBeGreaterThan(0);
  expect(text.filter((line) => line.includes('errors_total{') || line.includes('cancellation_total{'))).toEqual([]);
});

describe('what fails is counted by its kind', () => {
  const failing = async (handler: EndpointHandler): Promise<[WorkerMetrics, Awaited<ReturnType<typeof serve>>]> => {
    const metrics = createWorkerMetrics({ labels: { model: 'm' } });
    return [metrics, await serve(metrics, handler)];
  };
  const series = (kind: string): string => `component_errors_total{${LABELS},error_type="${kind}"}`;

  test.each<[string, EndpointHandler]>([
    ['before its stream', () => { throw new Error('planted'); }],
    ['in the middle of its stream', async function* () { yield 1; throw new Error('planted'); }],
  ])('generate: a handler that throws %s', async (_when, handler) => {
    const [metrics, { client, address }] = await failing(handler);
    await expect(all(client.generate(address, {}))).rejects.toThrow();
    expect(await value(metrics, series('generate'))).toBe(1);
    expect(await value(metrics, `component_inflight_requests{${LABELS}}`)).toBe(0);
  });

  test('invalid_message: an envelope that cannot be read', async () => {
    const [metrics, { client, address }] = await failing(twoItems);
    await expect(client.send(address, {}, encodeTwoPart(Buffer.from('not JSON'), Buffer.from('{}')))).rejects.toThrow();
    expect(await value(metrics, series('invalid_message'))).toBe(1);
  });

  test('deserialization: a body that cannot be read', async () => {
    const [metrics, { client, address }] = await failing(twoItems);
    const control = { id: 'x', request_type: 'single_in', response_type: 'many_out', connection_info: { transport: 'tcp_server', info: JSON.stringify({ address: await nobody(true), subject: 's', context: 'x', stream_type: 'response' }) } };
    await client.send(address, {}, encodeTwoPart(Buffer.from(JSON.stringify(control)), Buffer.from('not JSON')));
    await eventually(async () => (await value(metrics, series('deserialization'))) === 1);
  });

  test('response_stream: a caller that cannot be reached', async () => {
    const [metrics, { client, address }] = await failing(twoItems);
    const control = { id: 'x', request_type: 'single_in', response_type: 'many_out', connection_info: { transport: 'tcp_server', info: JSON.stringify({ address: await nobody(false), subject: 's', context: 'x', stream_type: 'response' }) } };
    await client.send(address, {}, encodeTwoPart(Buffer.from(JSON.stringify(control)), Buffer.from('{}')));
    await eventually(async () => (await value(metrics, series('response_stream'))) === 1);
  });
});

/** Waits for what a scrape shows. */
async function eventually(test: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await test())) {
    if (Date.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The address of a port that takes connections, or of one that nobody listens on. */
async function nobody(listens: boolean): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  if (listens) closing.push(async () => server.closeAllConnections(), async () => void server.close());
  else {
    server.close();
    await once(server, 'close');
  }
  return `127.0.0.1:${port}`;
}

test('a request that its caller cancels is counted as cancelled, and is in flight until then', async () => {
  const metrics = createWorkerMetrics({ labels: { model: 'm' } });
  const { client, address } = await serve(metrics, async function* (_request, { signal }) {
    yield 1;
    await once(signal, 'abort');
  });
  for await (const _item of client.generate(address, {})) {
    expect(await value(metrics, `component_inflight_requests{${LABELS}}`)).toBe(1);
    expect(await value(metrics, 'work_handler_pool_active_tasks')).toBe(1);
    break;
  }
  await eventually(async () => (await value(metrics, `component_cancellation_total{${LABELS}}`)) === 1);
  expect(await value(metrics, `component_inflight_requests{${LABELS}}`)).toBe(0);
});

test('requests that wait and that are refused at capacity are seen', async () => {
  const metrics = createWorkerMetrics();
  let release = (): void => undefined;
  const free = new Promise<void>((resolve) => (release = resolve));
  const { client, address } = await serve(metrics, async function* () { yield 1; await free; }, { workerPoolSize: 1, workQueueSize: 1 });
  const first = client.generate(address, {});
  await first.next();
  const second = all(client.generate(address, {}));
  await eventually(async () => (await value(metrics, 'work_handler_queue_depth')) === 1);
  await expect(all(client.generate(address, {}))).rejects.toThrow(expect.objectContaining({ code: 'ERR_WORKER_OVERLOADED' }));
  expect([await value(metrics, 'work_handler_enqueue_rejected_total'), await value(metrics, 'work_handler_pool_capacity'), await value(metrics, 'work_handler_queue_capacity')]).toEqual([1, 1, 1]);
  release();
  await Promise.all([all(first), second]);
  expect(await value(metrics, 'work_handler_permit_wait_seconds_count')).toBe(2);
});

test("an exemplar names the trace of the worker's span, in the OpenMetrics format", async () => {
  const sdk = startSdk();
  try {
    const metrics = createWorkerMetrics({ exemplars: true });
    const { client, address } = await serve(metrics, twoItems);
    await all(client.generate(address, {}));
    await eventually(async () => sdk.ended().some(({ name }) => name === 'handle_payload'));
    const { traceId, spanId } = sdk.ended().find(({ name }) => name === 'handle_payload')!.spanContext();
    expect(metrics.registry.contentType).toContain('application/openmetrics-text');
    expect(await lines(metrics)).toContainEqual(expect.stringMatching(new RegExp(`^dynamo_component_request_duration_seconds_bucket.* # {trace_id="${traceId}",span_id="${spanId}"}`)));
  } finally {
    sdk.stop();
  }
});

test('an observer that throws touches no request', async () => {
  const boom = (): never => { throw new Error('planted'); };
  const { client, address } = await serve({ observer: { onWorker: boom, onReceived: boom, onCompleted: boom, onRejected: boom } } as unknown as WorkerMetrics, twoItems);
  expect(await all(client.generate(address, {}))).toHaveLength(2);
});

test.each<[unknown, string]>([
  [{ labels: { worker_id: 'x' } }, 'createWorkerMetrics.labels.worker_id'],
  [{ labels: { model: () => 'm' } }, 'createWorkerMetrics.labels.model'],
  [{ buckets: { component_request_duration_seconds: [2, 1] } }, 'createWorkerMetrics.buckets.component_request_duration_seconds'],
  [{ nonsense: 1 }, 'createWorkerMetrics.nonsense'],
])('options %j are refused with their path', (options, path) => {
  expect(() => createWorkerMetrics(options as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path }));
});

test('two of them need two registries', () => {
  const registry = new prom.Registry();
  createWorkerMetrics({ registry });
  expect(() => createWorkerMetrics({ registry })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'createWorkerMetrics.registry' }));
});
