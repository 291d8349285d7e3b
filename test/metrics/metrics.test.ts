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
    if (req.body.model === 'bad') res.status(503).end();
    else res.json({ usage: { prompt_tokens: 150, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 8 } } });
  });
  return app;
}

test("a scrape shows Dynamo's names, labels and buckets", async () => {
  const app = appWith(createMetrics({ env: {} }));
  await request(app).post(CHAT).send({ model: 'm' });
  await request(app).post(CHAT).send({ model: 'bad' });
  const res = await request(app).get('/metrics');
  expect(res.headers['content-type']).toContain('text/plain');
  for (const line of [
    'dynamo_frontend_requests_total{model="m",endpoint="chat_completions",request_type="unary",status="success",error_type=""} 1',
    'dynamo_frontend_requests_total{model="bad",endpoint="chat_completions",request_type="unary",status="error",error_type="unavailable"} 1',
    'dynamo_frontend_requests_started_total{model="m",endpoint="chat_completions",request_type="unary"} 1',
    'dynamo_frontend_inflight_requests{model="m"} 0',
    'dynamo_frontend_output_tokens_total{model="m"} 3',
    'dynamo_frontend_input_sequence_tokens_bucket{le="100",model="m"} 0',
    'dynamo_frontend_input_sequence_tokens_bucket{le="210",model="m"} 1',
    'dynamo_frontend_cached_tokens_sum{model="m"} 8',
    'dynamo_frontend_request_duration_seconds_count{model="m"} 1',
  ]) expect(res.text.split('\n')).toContain(line);
});

test('a registry of the application and another prefix are used when given', async () => {
  const registry = new prom.Registry();
  const app = appWith(createMetrics({ registry, env: { DYN_METRICS_PREFIX: 'edge' } }));
  await request(app).post(CHAT).send({ model: 'm' });
  expect(await registry.metrics()).toContain('edge_requests_total{model="m"');
});

test('invented model names cannot fill the registry', async () => {
  const metrics = createMetrics();
  for (let i = 0; i < 300; i += 1) metrics.onReceived({ model: `m${i}`, endpoint: 'e', requestType: 'unary' });
  const started = (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('dynamo_frontend_requests_started_total{'));
  expect(started).toHaveLength(101);
  expect(started).toContain('dynamo_frontend_requests_started_total{model="other",endpoint="e",request_type="unary"} 200');
});

const ended = (model: string) => ({ model, requestedModel: model, endpoint: 'e', requestType: 'unary', status: 'success', errorType: 'none', elapsedMs: 1 });
const linesOf = async (metrics: ReturnType<typeof createMetrics>, name: string): Promise<string[]> => (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(`dynamo_frontend_${name}{`));

test('models that are not served are counted as one', async () => {
  const metrics = createMetrics({ env: {}, isServed: (model) => model === 'm' });
  for (const model of ['m', 'invented', 'other']) {
    metrics.onReceived({ model, endpoint: 'e', requestType: 'unary' });
    metrics.onCompleted(ended(model));
  }
  expect(await linesOf(metrics, 'requests_started_total')).toEqual([expect.stringMatching(/model="m".* 1$/), expect.stringMatching(/model="unknown_model".* 2$/)]);
  expect(await linesOf(metrics, 'requests_total')).toEqual([expect.stringMatching(/model="m".* 1$/), expect.stringMatching(/model="unknown_model".* 2$/)]);
});

test('the gauge of requests in flight comes back to zero when a model comes or goes meanwhile', async () => {
  const served = new Set(['goes']);
  const metrics = createMetrics({ env: {}, isServed: (model) => served.has(model) });
  for (const model of ['comes', 'goes', 'comes']) metrics.onReceived({ model, endpoint: 'e', requestType: 'unary' });
  served.add('comes').delete('goes');
  expect(await linesOf(metrics, 'inflight_requests')).toEqual([expect.stringMatching(/model="unknown_model".* 2$/), expect.stringMatching(/model="goes".* 1$/)]);
  metrics.onReceived({ model: 'comes', endpoint: 'e', requestType: 'unary' });
  for (const model of ['comes', 'goes', 'comes', 'comes']) metrics.onCompleted(ended(model));
  for (const line of await linesOf(metrics, 'inflight_requests')) expect(line).toMatch(/ 0$/);
});

test('an isServed that throws or answers later counts the model as unknown', async () => {
  for (const isServed of [() => { throw new Error('no'); }, () => Promise.resolve(true) as unknown as boolean]) {
    const metrics = createMetrics({ env: {}, isServed });
    metrics.onReceived({ model: 'm', endpoint: 'e', requestType: 'unary' });
    expect(await linesOf(metrics, 'requests_started_total')).toEqual([expect.stringContaining('model="unknown_model"')]);
  }
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
