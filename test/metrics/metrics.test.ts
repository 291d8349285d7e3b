import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import express from 'express';
import * as prom from 'prom-client';
import request from 'supertest';
import { dynamoTracing } from 'dynamo-tracing';
import { createMetrics } from 'dynamo-tracing/metrics';

const CHAT = '/v1/chat/completions';

function appWith(metrics: ReturnType<typeof createMetrics>): express.Express {
  const app = express();
  app.use(dynamoTracing({ logger: false, onReceived: metrics.onReceived, onCompleted: metrics.onCompleted }));
  app.use(express.json());
  app.get('/metrics', metrics.handler);
  app.post(CHAT, (req, res) => {
    if (req.body.fail === true) res.status(503).end();
    else res.json({ usage: { prompt_tokens: 150, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 8 } } });
  });
  return app;
}

test("a scrape shows Dynamo's names, labels and buckets", async () => {
  const app = appWith(createMetrics({ env: {} }));
  await request(app).post(CHAT).send({ model: 'm' });
  await request(app).post(CHAT).send({ model: 'm', fail: true });
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
  createMetrics({ client: { ...prom, Counter } as never });
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
