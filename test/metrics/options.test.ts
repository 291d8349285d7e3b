/** Labels, buckets, registries, system routes, exemplars, and what happens when a registry fails. */
import { afterEach, describe, expect, test } from '@jest/globals';
import express from 'express';
import * as prom from 'prom-client';
import request from 'supertest';
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace-base';
import { dynamoTracing } from 'dynamo-tracing';
import { createMetrics, type Metrics, type MetricsOptions } from 'dynamo-tracing/metrics';
import { startSdk, type Sdk } from '../spans/support.js';
import { ended, FAILED, linesOf, started } from './support.js';

const CHAT = '/v1/chat/completions';

function appWith(metrics: Metrics): express.Express {
  const app = express();
  app.use(dynamoTracing({ logger: false, onReceived: metrics.onReceived, onCompleted: metrics.onCompleted, onSystemCompleted: metrics.onSystemCompleted }));
  app.use(express.json());
  app.get('/metrics', metrics.handler);
  app.get('/users/:id', (_req, res) => void res.send('hello'));
  app.post(CHAT, (req, res) => {
    req.trace.set({ tenant: (req.body as { tenant: string }).tenant });
    res.json({ usage: { prompt_tokens: 1, completion_tokens: 2 } });
  });
  return app;
}

describe('labels of the application', () => {
  test('are on what has ended: one text for all, or what a function finds in the request', async () => {
    const metrics = createMetrics({ env: {}, labels: { region: 'eu', tenant: ({ fields }) => fields?.['tenant'] } });
    await request(appWith(metrics)).post(CHAT).send({ model: 'm', tenant: 'acme' });
    expect(await linesOf(metrics, 'requests_total')).toEqual(['dynamo_frontend_requests_total{region="eu",tenant="acme",model="m",endpoint="chat_completions",request_type="unary",status="success",error_type=""} 1']);
    expect(await linesOf(metrics, 'output_tokens_total')).toEqual(['dynamo_frontend_output_tokens_total{region="eu",tenant="acme",model="m"} 2']);
    expect(await linesOf(metrics, 'requests_started_total')).toEqual(['dynamo_frontend_requests_started_total{model="m",endpoint="chat_completions",request_type="unary"} 1']);
  });

  test('have a bounded number of sets of values, and invented values never push real ones out', async () => {
    const metrics = createMetrics({ env: {}, maxLabelSets: 2, labels: { tenant: ({ fields }) => fields?.['tenant'] } });
    const count = (tenant: string, parts = {}): void => metrics.onCompleted(ended('m', { fields: { tenant }, ...parts }));
    for (let i = 0; i < 50; i += 1) count(`invented-${i}`, FAILED);
    for (const tenant of ['a', 'b', 'c', 'd', 'a']) count(tenant);
    count('b', FAILED);
    const counted = (await linesOf(metrics, 'request_duration_seconds_count')).map((line) => line.replace(/^.*tenant="([^"]*)".* (\d+)$/, '$1 $2')).sort();
    expect(counted).toEqual(['a 2', 'b 2', 'other 2', 'other 50']);
  });

  test.each<[string, () => unknown, string]>([
    ['throws', () => { throw new Error('planted'); }, ''],
    ['returns nothing', () => undefined, ''],
    ['returns an object', () => ({}), ''],
    ['answers later', () => Promise.resolve('x'), ''],
    ['returns a number', () => 7, '7'],
    ['returns a text of 300 characters', () => 'x'.repeat(300), 'other'],
  ])('a function that %s makes no request fail', async (_what, source, value) => {
    const metrics = createMetrics({ env: {}, labels: { tenant: source as () => string } });
    metrics.onCompleted(ended('m'));
    expect(await linesOf(metrics, 'output_tokens_total')).toEqual([]);
    expect(await linesOf(metrics, 'requests_total')).toEqual([expect.stringContaining(`{tenant="${value}",`)]);
  });

  test.each<[unknown, string]>([
    [{ labels: [] }, 'labels'],
    [{ labels: { model: 'x' } }, 'labels.model'],
    [{ labels: { le: 'x' } }, 'labels.le'],
    [{ labels: { 'a-b': 'x' } }, 'labels.a-b'],
    [{ labels: { __a: 'x' } }, 'labels.__a'],
    [{ labels: { a: 1 } }, 'labels.a'],
    [{ labels: { a: 'x'.repeat(257) } }, 'labels.a'],
    [{ labels: { a: async () => 'x' } }, 'labels.a'],
    [{ labels: Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`l${i}`, 'x'])) }, 'labels'],
    [{ maxModels: 0 }, 'maxModels'],
    [{ maxLabelSets: 1.5 }, 'maxLabelSets'],
    [{ buckets: { nonsense: [1] } }, 'buckets.nonsense'],
    [{ buckets: { inter_token_latency_seconds: [] } }, 'buckets.inter_token_latency_seconds'],
    [{ buckets: { inter_token_latency_seconds: [1, 1] } }, 'buckets.inter_token_latency_seconds'],
    [{ buckets: { inter_token_latency_seconds: ['1'] } }, 'buckets.inter_token_latency_seconds'],
    [{ exemplars: 'yes' }, 'exemplars'],
    [{ systemRoutes: 1 }, 'systemRoutes'],
    [{ openTelemetry: 0 }, 'openTelemetry'],
  ])('%j is refused with its path', (options, path) => {
    expect(() => createMetrics(options as MetricsOptions)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: `createMetrics.${path}` }));
  });
});

describe('buckets', () => {
  const boundsOf = async (options: MetricsOptions, name: string): Promise<number[]> => {
    const metrics = createMetrics(options);
    metrics.onCompleted(ended('m', { endpoint: 'embeddings', inputTokens: 1, outputTokens: 1, cachedTokens: 1, ttftMs: 1, avgItlMs: 1 }));
    return (await linesOf(metrics, `${name}_bucket`)).map((line) => /le="([^"]*)"/.exec(line)![1]!).filter((bound) => bound !== '+Inf').map(Number);
  };

  // As the frontend of Dynamo 1.6 has them.
  test.each<[string, number[]]>([
    ['request_duration_seconds', [0, 2, 4, 8, 16, 32, 64, 130, 260, 510]],
    ['input_sequence_tokens', [0, 100, 210, 430, 870, 1800, 3600, 7400, 15_000, 31_000, 63_000, 130_000]],
    ['cached_tokens', [0, 100, 210, 430, 870, 1800, 3600, 7400, 15_000, 31_000, 63_000, 130_000]],
    ['output_sequence_tokens', [0, 100, 210, 430, 880, 1800, 3700, 7600, 16_000, 32_000]],
    ['time_to_first_token_seconds', [0, 0.0022, 0.0047, 0.01, 0.022, 0.047, 0.1, 0.22, 0.47, 1, 2.2, 4.7, 10, 22, 48, 100, 220, 480]],
    ['inter_token_latency_seconds', [0, 0.0019, 0.0035, 0.0067, 0.013, 0.024, 0.045, 0.084, 0.16, 0.3, 0.56, 1.1, 2]],
    ['embedding_latency_seconds', [0, 0.002, 0.0041, 0.0084, 0.017, 0.035, 0.07, 0.14, 0.29, 0.59, 1.2, 2.4, 4.9, 10]],
  ])('of %s are those of Dynamo', async (name, bounds) => {
    expect(await boundsOf({ env: {} }, name)).toEqual(bounds);
  });

  test("are made by Dynamo's variables, of which the older names count where the newer ones are not set", async () => {
    expect(await boundsOf({ env: { DYN_METRICS_TTFT_MIN: '1', DYN_METRICS_TTFT_MAX: '1000', DYN_METRICS_TTFT_COUNT: '4' } }, 'time_to_first_token_seconds')).toEqual([0, 10, 100, 1000]);
    expect(await boundsOf({ env: { DYN_HISTOGRAM_DYN_METRICS_ITL_COUNT: '2', DYN_HISTOGRAM_DYN_METRICS_ITL_MAX: '5', DYN_METRICS_ITL_MAX: '4' } }, 'inter_token_latency_seconds')).toEqual([0, 4]);
  });

  test('of the options win', async () => {
    expect(await boundsOf({ env: { DYN_METRICS_TTFT_COUNT: '4' }, buckets: { time_to_first_token_seconds: [0.5, 1] } }, 'time_to_first_token_seconds')).toEqual([0.5, 1]);
  });

  test.each([['TTFT_MIN', 'x'], ['TTFT_MIN', '0'], ['TTFT_MIN', '500'], ['ITL_COUNT', '1.5'], ['ITL_COUNT', '513'], ['PREFIX', '9x'], ['PREFIX', 'a b']])('DYN_METRICS_%s=%s is refused at start-up', (name, text) => {
    expect(() => createMetrics({ env: { [`DYN_METRICS_${name}`]: text } })).toThrow(expect.objectContaining({ code: 'ERR_ENV_INVALID', variable: `DYN_METRICS_${name}` }));
  });
});

describe('system routes', () => {
  test('are counted by route, method and status where that is asked for; unknown paths are one', async () => {
    const metrics = createMetrics({ env: {}, systemRoutes: true });
    const app = appWith(metrics);
    for (const path of ['/users/1', '/users/2', '/no-such-path-1', '/no-such-path-2']) await request(app).get(path);
    expect((await linesOf(metrics, 'system_requests_total')).sort()).toEqual([
      'dynamo_frontend_system_requests_total{route="/users/:id",method="GET",status="200"} 2',
      'dynamo_frontend_system_requests_total{route="other",method="GET",status="404"} 2',
    ]);
    expect(await linesOf(metrics, 'system_request_duration_seconds_count')).toHaveLength(2);
  });

  test('are not there otherwise', async () => {
    const metrics = createMetrics({ env: {} });
    await request(appWith(metrics)).get('/users/1');
    expect(await metrics.registry.metrics()).not.toContain('system_request');
  });
});

describe('exemplars', () => {
  let sdk: Sdk | undefined;
  afterEach(() => sdk?.stop());
  const scrape = async (config?: Parameters<typeof startSdk>[0]): Promise<{ text: string; type: string; traceId: string | undefined }> => {
    sdk = config === undefined ? undefined : startSdk(config);
    const app = appWith(createMetrics({ env: {}, exemplars: true }));
    await request(app).post(CHAT).send({ model: 'm' });
    const res = await request(app).get('/metrics').buffer(true).parse((stream, done) => {
      let text = '';
      stream.on('data', (chunk: Buffer) => (text += chunk.toString())).on('end', () => done(null, text));
    });
    return { text: res.body as string, type: String(res.headers['content-type']), traceId: sdk?.ended().find(({ name }) => name === 'http-request')?.spanContext().traceId };
  };

  test('name the trace of a request that is sampled, in the OpenMetrics format', async () => {
    const { text, type, traceId } = await scrape({});
    expect(type).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    expect(text).toMatch(new RegExp(`^dynamo_frontend_requests_total{.*} 1 # {trace_id="${traceId}",span_id="[0-9a-f]{16}"} 1 `, 'm'));
    expect(text).toMatch(new RegExp(`^dynamo_frontend_request_duration_seconds_bucket{.*} 1 # {trace_id="${traceId}"`, 'm'));
    expect(text).toMatch(/# EOF\n$/);
  });

  test.each<[string, Parameters<typeof startSdk>[0] | undefined]>([['not sampled', { sampler: new AlwaysOffSampler() }], ['recorded by nobody', undefined]])('are left out for a trace that is %s', async (_what, config) => {
    expect((await scrape(config)).text).not.toContain('trace_id');
  });

  test('need a registry that can show them', () => {
    const error = expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'createMetrics.exemplars' });
    expect(() => createMetrics({ exemplars: true, registry: new prom.Registry() })).toThrow(error);
    const registry = new prom.Registry<prom.OpenMetricsContentType>();
    registry.setContentType(prom.Registry.OPENMETRICS_CONTENT_TYPE);
    expect(createMetrics({ exemplars: true, registry }).registry).toBe(registry);
  });
});

describe('a registry', () => {
  test('that has such metrics already is refused at start-up, and takes them under another prefix', () => {
    const registry = new prom.Registry();
    createMetrics({ registry, env: {} });
    expect(() => createMetrics({ registry, env: {} })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'createMetrics.registry', cause: expect.any(Error) }));
    expect(() => createMetrics({ registry, env: { DYN_METRICS_PREFIX: 'edge' } })).not.toThrow();
  });

  test('whose metrics throw touches no request, and the other metrics go on', async () => {
    class Broken {
      inc(): never { throw new Error('planted'); }
    }
    const metrics = createMetrics({ env: {}, client: { ...prom, Counter: Broken } });
    const app = appWith(metrics);
    expect((await request(app).post(CHAT).send({ model: 'm' })).status).toBe(200);
    metrics.onReceived(started('m'));
    expect(await linesOf(metrics, 'request_duration_seconds_count')).toEqual(['dynamo_frontend_request_duration_seconds_count{model="m"} 1']);
    expect(await linesOf(metrics, 'inflight_requests')).toContain('dynamo_frontend_inflight_requests{model="m"} 1');
  });
});
