import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import * as prom from 'prom-client';
import request from 'supertest';
import { dynamoTracing } from 'dynamo-tracing';
import { createMetrics } from 'dynamo-tracing/metrics';
import { chat, CHAT, open, post, rawRequest, received } from '../support/client.js';

function appWith(metrics: ReturnType<typeof createMetrics>): express.Express {
  const app = express();
  app.use(dynamoTracing({ logger: false, onReceived: metrics.onReceived, onCompleted: metrics.onCompleted }));
  app.use(express.json());
  app.get('/metrics', metrics.handler);
  app.post(CHAT, (req, res) => {
    if (req.body.fail !== undefined) res.status(req.body.fail).end();
    else if (req.body.wait === true) res.writeHead(200).flushHeaders();
    else res.json({ usage: { prompt_tokens: 150, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 8 } } });
  });
  return app;
}

test("a scrape shows Dynamo's names, labels and buckets", async () => {
  const app = appWith(createMetrics({ env: {} }));
  await request(app).post(CHAT).send({ model: 'm' });
  await request(app).post(CHAT).send({ model: 'm', fail: 503 });
  const res = await request(app).get('/metrics');
  expect(res.headers['content-type']).toContain('text/plain');
  for (const line of [
    'dynamo_frontend_requests_total{model="m",endpoint="chat_completions",request_type="unary",status="success",error_type=""} 1',
    'dynamo_frontend_requests_total{model="m",endpoint="chat_completions",request_type="unary",status="error",error_type="unavailable"} 1',
    'dynamo_frontend_requests_started_total{model="m",endpoint="chat_completions",request_type="unary"} 2',
    'dynamo_frontend_inflight_requests{model="m"} 0',
    'dynamo_frontend_active_requests{model="m"} 0',
    'dynamo_frontend_disconnected_clients 0',
    'dynamo_frontend_output_tokens_total{model="m"} 3',
    'dynamo_frontend_input_sequence_tokens_bucket{le="100",model="m"} 0',
    'dynamo_frontend_input_sequence_tokens_bucket{le="210",model="m"} 1',
    'dynamo_frontend_cached_tokens_sum{model="m"} 8',
    'dynamo_frontend_request_duration_seconds_count{model="m"} 2',
  ]) expect(res.text.split('\n')).toContain(line);
});

test('cancelled, refused and embeddings requests are counted by themselves too', async () => {
  const metrics = createMetrics({ env: {}, isServed: () => true });
  const app = appWith(metrics);
  app.post('/v1/embeddings', (req, res) => void res.status(req.body.fail ?? 200).json({}));
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const client = await open(port);
    client.write(rawRequest(CHAT, chat({ wait: true })));
    await received(client, '200 OK');
    client.destroy();
    await post(port, CHAT, chat({ fail: 529 }));
    await post(port, '/v1/embeddings', chat({ fail: 500 }));
    await post(port, '/v1/embeddings', chat());
    const lines = async (): Promise<string[]> => (await metrics.registry.metrics()).split('\n');
    let seen = await lines();
    for (const deadline = Date.now() + 20_000; !seen.includes('dynamo_frontend_inflight_requests{model="m"} 0') && Date.now() < deadline;) seen = await lines();
    for (const line of [
      'dynamo_frontend_disconnected_clients 1',
      'dynamo_frontend_model_cancellation_total{model="m",endpoint="chat_completions",request_type="unary"} 1',
      'dynamo_frontend_requests_total{model="m",endpoint="chat_completions",request_type="unary",status="error",error_type="cancelled"} 1',
      'dynamo_frontend_model_rejection_total{model="m",endpoint="chat_completions"} 1',
      'dynamo_frontend_embedding_latency_seconds_count{model="m"} 1',
    ]) expect(seen).toContain(line);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('a registry of the application and another prefix are used when given', async () => {
  const registry = new prom.Registry();
  const app = appWith(createMetrics({ registry, env: { DYN_METRICS_PREFIX: 'edge' } }));
  await request(app).post(CHAT).send({ model: 'm' });
  expect(await registry.metrics()).toContain('edge_requests_total{model="m"');
});

test.each([[{ registry: 1 }, 'createMetrics.registry'], [{ isServed: true }, 'createMetrics.isServed'], [{ nonsense: 1 }, 'createMetrics.nonsense']])('options %j are refused with their path', (options, path) => {
  expect(() => createMetrics(options as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path }));
});

test('the prom-client module can be handed in, as a bundle does', async () => {
  const seen: string[] = [];
  class Counter extends prom.Counter {
    constructor(config: ConstructorParameters<typeof prom.Counter>[0]) {
      super(config);
      seen.push(config.name);
    }
  }
  createMetrics({ client: { ...prom, Counter } });
  createMetrics({ client: prom });
  expect(seen).toEqual(expect.arrayContaining(['dynamo_frontend_requests_total']));
  expect(() => createMetrics({ client: {} as never })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'createMetrics.client' }));
});

const registryThat = (parts: Partial<{ contentType: string; metrics: () => Promise<string> }>) => ({ contentType: 'text/plain', metrics: () => Promise.resolve('a 1\n'), ...parts });
const scrape = (registry: ReturnType<typeof registryThat>, meanwhile?: (res: express.Response) => void) => {
  const { handler } = createMetrics({ registry, client: { ...prom, Counter: Nothing, Gauge: Nothing, Histogram: Nothing } as never });
  const app = express().get('/metrics', (req, res) => {
    handler(req, res);
    meanwhile?.(res);
  });
  return request(app).get('/metrics');
};
function Nothing(): void {
  // A metric that counts nothing.
}

describe('a scrape', () => {
  const rejections: unknown[] = [];
  const collect = (reason: unknown): void => void rejections.push(reason);
  beforeAll(() => void process.on('unhandledRejection', collect));
  afterAll(() => void process.off('unhandledRejection', collect));

  test.each<[string, ReturnType<typeof registryThat>]>([
    ['throws', registryThat({ metrics: () => { throw new Error('planted'); } })],
    ['rejects', registryThat({ metrics: () => Promise.reject(new Error('planted')) })],
    ['has a content type that no header can hold', registryThat({ contentType: 'a\nb' })],
  ])('of a registry that %s is answered with 500, and no promise is left rejected', async (_what, registry) => {
    expect((await scrape(registry)).status).toBe(500);
    await new Promise(setImmediate);
    expect(rejections).toEqual([]);
  });

  test('that somebody else has answered meanwhile stays as it is', async () => {
    expect(await scrape(registryThat({}), (res) => void res.status(403).send('no'))).toMatchObject({ status: 403, text: 'no' });
    await new Promise(setImmediate);
    expect(rejections).toEqual([]);
  });
});
