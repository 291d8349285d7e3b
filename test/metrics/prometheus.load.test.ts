/** A real Prometheus scrapes what real requests leave, as text and as OpenMetrics. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import express from 'express';
import { dynamoTracing, type CompletedRequest } from 'dynamo-tracing';
import { createMetrics, createWorkerMetrics } from 'dynamo-tracing/metrics';
import { RequestPlaneClient, RequestPlaneServer } from 'dynamo-tracing/transport';
import { startSdk, type Sdk } from '../spans/support.js';
import { CHAT, chat, post, send } from '../support/client.js';
import { describeWithPrometheus, Prometheus, promtoolSays } from '../support/prometheus.js';

const WEIRD = 'a "quoted" \\ name,\nof {two} lines é💥 x="y"';
const JOBS = ['text', 'openmetrics', 'worker', 'worker-openmetrics'];

describeWithPrometheus('a real Prometheus', () => {
  const all = { labels: { region: 'eu', tenant: ({ fields }: { fields?: CompletedRequest['fields'] | undefined }) => fields?.['tenant'] }, systemRoutes: true, env: {} };
  const frontends = [createMetrics(all), createMetrics({ ...all, exemplars: true })];
  const workers = [createWorkerMetrics({ labels: { model: 'm' } }), createWorkerMetrics({ exemplars: true })];
  const planes: { close(): Promise<void> }[] = [];
  const completed: CompletedRequest[] = [];
  let sdk: Sdk;
  let server: Server;
  let port: number;
  let prometheus: Prometheus;

  beforeAll(async () => {
    sdk = startSdk();
    const app = express();
    JOBS.forEach((job, i) => app.get(`/${job}`, [...frontends, ...workers][i]!.handler));
    app.use(dynamoTracing({
      logger: false,
      onReceived: (received) => frontends.forEach(({ onReceived }) => onReceived(received)),
      onCompleted: (ended) => (completed.push(ended), frontends.forEach(({ onCompleted }) => onCompleted(ended))),
      onSystemCompleted: (ended) => frontends.forEach(({ onSystemCompleted }) => onSystemCompleted(ended)),
    }));
    app.use(express.json());
    app.get('/health', (_req, res) => void res.send('ok'));
    app.post(CHAT, (req, res) => {
      req.trace.set({ tenant: WEIRD });
      res.status((req.body as { fail?: number }).fail ?? 200).json({ usage: { prompt_tokens: 150, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 8 } } });
    });
    server = app.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
    for (const body of [chat(), chat(), chat({ model: WEIRD }), chat({ fail: 529 })]) await post(port, CHAT, body);
    await send(port, { path: '/health' });
    for (const { observer } of workers) await serveOne(observer);
    prometheus = await Prometheus.start(port, JOBS);
  }, 90_000);
  afterAll(async () => {
    await prometheus.stop();
    for (const plane of planes.reverse()) await plane.close();
    server.close();
    server.closeAllConnections();
    sdk.stop();
  });

  /** A worker that serves one request. */
  async function serveOne(observer: (typeof workers)[0]['observer']): Promise<void> {
    const worker = new RequestPlaneServer({ host: '127.0.0.1', instanceId: 255n, logger: false, observer, env: {} });
    const client = new RequestPlaneClient({ responseHost: '127.0.0.1', logger: false, env: {} });
    planes.push(worker, client);
    await worker.listen();
    const { address } = worker.endpoint('dynamo.backend.generate', async function* () { yield { token: 'a' }; });
    for await (const item of client.generate(address, {})) expect(item).toEqual({ token: 'a' });
  }

  /** Labels and value of each series that a query finds, once it finds some. */
  async function query(expression: string): Promise<{ metric: Record<string, string>; value: number }[]> {
    for (const deadline = Date.now() + 20_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      const { result } = await prometheus.ask('query', { query: expression }) as { result: { metric: Record<string, string>; value: [number, string] }[] };
      if (result.length > 0 || Date.now() > deadline) return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    }
  }

  test('takes every scrape', async () => {
    for (const job of JOBS) await query(`up{job="${job}"}`);
    const { activeTargets } = await prometheus.ask('targets') as { activeTargets: { scrapePool: string; health: string; lastError: string }[] };
    expect(activeTargets.map(({ scrapePool, health, lastError }) => [scrapePool, health, lastError]).sort()).toEqual(JOBS.map((job) => [job, 'up', '']).sort());
  });

  test.each(['text', 'openmetrics'])('finds counts and labels as they are, whatever is in a name (%s)', async (job) => {
    const found = await query(`dynamo_frontend_requests_total{job="${job}"}`);
    expect(found.map(({ metric: { model, status, error_type: errorType, region, tenant }, value }) => [model, status, errorType, region, tenant, value]).sort()).toEqual([
      [WEIRD, 'success', undefined, 'eu', WEIRD, 1],
      ['m', 'error', 'overload', 'eu', WEIRD, 1],
      ['m', 'success', undefined, 'eu', WEIRD, 2],
    ].sort());
    expect(await query(`sum(dynamo_frontend_requests_started_total{job="${job}"})`)).toEqual([{ metric: {}, value: 4 }]);
    expect(await query(`sum(dynamo_frontend_inflight_requests{job="${job}"})`)).toEqual([{ metric: {}, value: 0 }]);
    expect((await query(`dynamo_frontend_system_requests_total{job="${job}",route="/health"}`))[0]).toMatchObject({ metric: { method: 'GET', status: '200' }, value: 1 });
  });

  test.each(['text', 'openmetrics'])('computes quantiles over the buckets (%s)', async (job) => {
    const [{ value } = { value: NaN }] = await query(`histogram_quantile(1, dynamo_frontend_input_sequence_tokens_bucket{job="${job}",model="m"})`);
    expect(value).toBe(210);
  });

  test.each([['worker', 'm'], ['worker-openmetrics', undefined]])("finds a worker's requests (%s)", async (job, model) => {
    expect((await query(`dynamo_component_requests_total{job="${job}"}`))[0]).toMatchObject({ metric: { dynamo_namespace: 'dynamo', dynamo_component: 'backend', dynamo_endpoint: 'generate', worker_id: 'ff', ...(model && { model }) }, value: 1 });
  });

  test('stores exemplars, which name the traces of the requests', async () => {
    await query('dynamo_frontend_requests_total{job="openmetrics"}');
    const stored = await prometheus.ask('query_exemplars', { query: '{job="openmetrics"}', start: String(Date.now() / 1000 - 600), end: String(Date.now() / 1000 + 600) }) as { exemplars: { labels: { trace_id: string; span_id: string } }[] }[];
    const traces = new Map(completed.map(({ traceId, spanId }) => [traceId, spanId]));
    const found = stored.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels));
    expect(found.length).toBeGreaterThan(0);
    for (const { trace_id: traceId, span_id: spanId } of found) expect(traces.get(traceId)).toBe(spanId);
    expect(new Set(found.map(({ trace_id: traceId }) => traceId))).toContain(completed.at(-1)!.traceId);
  });

  test('promtool has nothing against the names and types', async () => {
    for (const { registry } of [frontends[0]!, workers[0]!]) expect(promtoolSays(await registry.metrics())).toBe('');
  });
});
