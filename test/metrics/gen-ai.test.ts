/* eslint-disable @typescript-eslint/no-deprecated -- The constants are marked as moved to a repository that publishes no package yet. */
/** The same measurements as OpenTelemetry metrics, by the semantic conventions for generative AI. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { metrics } from '@opentelemetry/api';
import { AggregationTemporality, DataPointType, MeterProvider, MetricReader, type HistogramMetricData } from '@opentelemetry/sdk-metrics';
import * as semconv from '@opentelemetry/semantic-conventions/incubating';
import express from 'express';
import * as prom from 'prom-client';
import request from 'supertest';
import { dynamoTracing } from 'dynamo-tracing';
import { createGenAiMetrics, createMetrics, type LabelOptions } from 'dynamo-tracing/metrics';
import { ATTRIBUTES, GEN_AI } from '../../src/metrics/gen-ai.js';
import { ended, FAILED } from './support.js';

/** Collects when it is asked to. */
class Reader extends MetricReader {
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }

  override selectAggregationTemporality(): AggregationTemporality {
    return AggregationTemporality.CUMULATIVE;
  }

  async histograms(): Promise<ReadonlyMap<string, HistogramMetricData>> {
    const { resourceMetrics, errors } = await this.collect();
    expect(errors).toEqual([]);
    const found = resourceMetrics.scopeMetrics.flatMap(({ scope, metrics: data }) => data.map((metric) => ({ scope, metric })));
    for (const { scope } of found) expect(scope.name).toBe('dynamo-tracing');
    return new Map(found.map(({ metric }) => [metric.descriptor.name, metric as HistogramMetricData]));
  }
}

let reader: Reader;
const register = (): MeterProvider => {
  const provider = new MeterProvider({ readers: [(reader = new Reader())] });
  metrics.setGlobalMeterProvider(provider);
  return provider;
};
afterEach(() => metrics.disable());

const FULL = { endpoint: 'chat_completions', operation: 'chat', provider: 'anthropic', elapsedMs: 3000, ttftMs: 1000, inputTokens: 20, outputTokens: 5, responseModel: 'm-2026' };

describe('names, units, bucket boundaries and attributes', () => {
  test('names are those of the published constants', () => {
    expect(Object.values(GEN_AI).map(({ name }) => name)).toEqual([semconv.METRIC_GEN_AI_SERVER_REQUEST_DURATION, semconv.METRIC_GEN_AI_SERVER_TIME_TO_FIRST_TOKEN, semconv.METRIC_GEN_AI_SERVER_TIME_PER_OUTPUT_TOKEN, semconv.METRIC_GEN_AI_CLIENT_TOKEN_USAGE]);
    expect(Object.values(ATTRIBUTES)).toEqual([semconv.ATTR_GEN_AI_OPERATION_NAME, semconv.ATTR_GEN_AI_PROVIDER_NAME, semconv.ATTR_GEN_AI_REQUEST_MODEL, semconv.ATTR_GEN_AI_RESPONSE_MODEL, semconv.ATTR_GEN_AI_TOKEN_TYPE, semconv.ATTR_ERROR_TYPE]);
  });

  test('a meter provider sees the instruments as the conventions have them', async () => {
    register();
    createGenAiMetrics().onCompleted(ended('m', FULL));
    const found = await reader.histograms();
    expect([...found.values()].map(({ descriptor: { name, unit }, dataPointType, dataPoints }) => ({ name, unit, type: DataPointType[dataPointType], boundaries: dataPoints[0]!.value.buckets.boundaries }))).toEqual([
      { name: 'gen_ai.server.request.duration', unit: 's', type: 'HISTOGRAM', boundaries: [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92] },
      { name: 'gen_ai.server.time_to_first_token', unit: 's', type: 'HISTOGRAM', boundaries: [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] },
      { name: 'gen_ai.server.time_per_output_token', unit: 's', type: 'HISTOGRAM', boundaries: [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5] },
      { name: 'gen_ai.client.token.usage', unit: '{token}', type: 'HISTOGRAM', boundaries: [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864] },
    ]);
  });

  test('values are seconds and tokens, attributes are those of the published constants', async () => {
    register();
    createGenAiMetrics({ labels: { region: 'eu' } }).onCompleted(ended('m', FULL));
    const common = {
      [semconv.ATTR_GEN_AI_OPERATION_NAME]: semconv.GEN_AI_OPERATION_NAME_VALUE_CHAT,
      [semconv.ATTR_GEN_AI_PROVIDER_NAME]: semconv.GEN_AI_PROVIDER_NAME_VALUE_ANTHROPIC,
      [semconv.ATTR_GEN_AI_REQUEST_MODEL]: 'm',
      [semconv.ATTR_GEN_AI_RESPONSE_MODEL]: 'm-2026',
      region: 'eu',
    };
    const points = [...(await reader.histograms()).entries()].map(([name, { dataPoints }]) => [name, dataPoints.map(({ attributes, value }) => [attributes, value.sum])]);
    expect(Object.fromEntries(points)).toEqual({
      'gen_ai.server.request.duration': [[common, 3]],
      'gen_ai.server.time_to_first_token': [[common, 1]],
      'gen_ai.server.time_per_output_token': [[common, 0.5]],
      'gen_ai.client.token.usage': [
        [{ ...common, [semconv.ATTR_GEN_AI_TOKEN_TYPE]: semconv.GEN_AI_TOKEN_TYPE_VALUE_INPUT }, 20],
        [{ ...common, [semconv.ATTR_GEN_AI_TOKEN_TYPE]: semconv.GEN_AI_TOKEN_TYPE_VALUE_OUTPUT }, 5],
      ],
    });
  });

  test('a request that failed has its duration with error.type, and no times of tokens', async () => {
    register();
    const { onCompleted } = createGenAiMetrics();
    onCompleted(ended('m', FULL));
    onCompleted(ended('m', { ...FULL, status: 'cancelled', errorType: 'cancelled' }));
    const found = await reader.histograms();
    expect(found.get('gen_ai.server.request.duration')!.dataPoints.map(({ attributes }) => attributes[semconv.ATTR_ERROR_TYPE])).toEqual([undefined, 'cancelled']);
    for (const name of ['gen_ai.server.time_to_first_token', 'gen_ai.server.time_per_output_token']) expect(found.get(name)!.dataPoints.map(({ value }) => value.count)).toEqual([1]);
  });

  test('output tokens that are an estimate are not counted as used', async () => {
    register();
    createGenAiMetrics().onCompleted(ended('m', { ...FULL, outputTokensEstimated: true }));
    expect((await reader.histograms()).get('gen_ai.client.token.usage')!.dataPoints.map(({ attributes }) => attributes['gen_ai.token.type'])).toEqual(['input']);
  });
});

describe('models', () => {
  const modelsOf = async (options: LabelOptions): Promise<unknown[]> => {
    register();
    const { onCompleted } = createGenAiMetrics(options);
    for (let i = 0; i < 50; i += 1) onCompleted(ended(`invented-${i}`, { ...FAILED, responseModel: `echoed-${i}` }));
    for (const model of ['a', 'b', 'c']) onCompleted(ended(model, { responseModel: `${model}-2026` }));
    return (await reader.histograms()).get('gen_ai.server.request.duration')!.dataPoints.map(({ attributes, value }) => [attributes['gen_ai.request.model'], attributes['gen_ai.response.model'], value.count]);
  };

  test('are named when they are known; an unknown one, or one beyond the bound, is left out', async () => {
    expect(await modelsOf({ maxModels: 2 })).toEqual([[undefined, undefined, 50], ['a', 'a-2026', 1], ['b', 'b-2026', 1], [undefined, undefined, 1]]);
  });

  test('that are not served are left out', async () => {
    expect(await modelsOf({ isServed: (model) => model === 'b' })).toEqual([[undefined, undefined, 50], [undefined, 'a-2026', 1], ['b', 'b-2026', 1], [undefined, 'c-2026', 1]]);
  });
});

describe('a meter provider', () => {
  const chat = async (hooks: Pick<ReturnType<typeof createMetrics>, 'onCompleted'>): Promise<number> => {
    const app = express();
    app.use(dynamoTracing({ logger: false, onCompleted: hooks.onCompleted }));
    app.use(express.json());
    app.post('/v1/messages', (_req, res) => void res.json({ id: 'msg_1', model: 'claude', usage: { input_tokens: 3, output_tokens: 4 } }));
    return (await request(app).post('/v1/messages').send({ model: 'm' })).status;
  };

  test('that is registered after the start gets what ends from then on, and so does one that takes its place', async () => {
    const hooks = createMetrics({ env: {} });
    await chat(hooks);
    for (const round of [1, 2]) {
      register();
      await chat(hooks);
      const { dataPoints } = (await reader.histograms()).get('gen_ai.server.request.duration')!;
      expect([round, dataPoints.map(({ value, attributes }) => [value.count, attributes])]).toEqual([round, [[1, {
        'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'anthropic', 'gen_ai.request.model': 'm', 'gen_ai.response.model': 'claude',
      }]]]);
      metrics.disable();
    }
  });

  test('is asked for its instruments once', async () => {
    const provider = register();
    const seen: string[] = [];
    const getMeter = provider.getMeter.bind(provider);
    provider.getMeter = (...args) => {
      seen.push(args[0]);
      return getMeter(...args);
    };
    const { onCompleted } = createGenAiMetrics();
    for (let i = 0; i < 3; i += 1) onCompleted(ended('m'));
    expect(seen).toEqual(['dynamo-tracing']);
  });

  test('is not asked with openTelemetry: false', async () => {
    register();
    createMetrics({ env: {}, openTelemetry: false }).onCompleted(ended('m'));
    expect([...await reader.histograms()]).toEqual([]);
  });

  describe('that throws', () => {
    beforeEach(() => void metrics.setGlobalMeterProvider({ getMeter: () => { throw new Error('planted'); } }));

    test('touches no request and no Prometheus metric', async () => {
      const hooks = createMetrics({ env: {} });
      expect(await chat(hooks)).toBe(200);
      expect(await hooks.registry.metrics()).toContain('dynamo_frontend_requests_total{model="m"');
    });
  });

  test('whose instruments throw touches no request', async () => {
    const histogram = { record: () => { throw new Error('planted'); } };
    metrics.setGlobalMeterProvider({ getMeter: () => ({ createHistogram: () => histogram }) as never });
    expect(await chat(createGenAiMetrics())).toBe(200);
  });
});

test('without prom-client the OpenTelemetry metrics can be made alone', () => {
  expect(Object.keys(createGenAiMetrics())).toEqual(['onCompleted']);
  expect(() => createGenAiMetrics({ client: prom } as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'createGenAiMetrics.client' }));
});
