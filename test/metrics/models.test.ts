/** Which models are labels. */
import { describe, expect, test } from '@jest/globals';
import { createMetrics } from 'dynamo-tracing/metrics';
import { ended, FAILED, linesOf, started } from './support.js';

type Metrics = ReturnType<typeof createMetrics>;
const run = (metrics: Metrics, model: string, parts: Parameters<typeof ended>[1] = {}): void => {
  metrics.onReceived(started(model));
  metrics.onCompleted(ended(model, parts));
};
/** Label and value of each line, in the order of the names. */
const counts = async (metrics: Metrics, name: string): Promise<string[]> => (await linesOf(metrics, name)).map((line) => line.replace(/^.*?model="([^"]*)".* (\S+)$/, '$1 $2')).sort();

describe('without isServed', () => {
  test('a name that nothing was answered for is no label, however often it is asked for', async () => {
    const metrics = createMetrics({ env: {} });
    for (let i = 0; i < 300; i += 1) run(metrics, `invented-${i}`, FAILED);
    for (const name of ['requests_total', 'requests_started_total', 'request_duration_seconds_count']) expect(await counts(metrics, name)).toEqual(['unknown_model 300']);
    expect(await counts(metrics, 'inflight_requests')).toEqual(['unknown_model 0']);
  });

  test('invented names never push a real one out', async () => {
    const metrics = createMetrics({ env: {}, maxModels: 1 });
    for (let i = 0; i < 300; i += 1) run(metrics, `invented-${i}`, FAILED);
    run(metrics, 'real');
    run(metrics, 'real', FAILED);
    expect(await counts(metrics, 'requests_started_total')).toEqual(['real 2', 'unknown_model 300']);
    expect(await counts(metrics, 'requests_total')).toEqual(['real 1', 'real 1', 'unknown_model 300']);
  });

  test('the starts of a model are counted under its name when the first of its requests has succeeded, each once', async () => {
    const metrics = createMetrics({ env: {} });
    for (const endpoint of ['a', 'b', 'a']) metrics.onReceived(started('m', endpoint));
    expect(await counts(metrics, 'requests_started_total')).toEqual([]);
    expect(await counts(metrics, 'inflight_requests')).toEqual(['unknown_model 3']);
    metrics.onCompleted(ended('m', { ...FAILED, endpoint: 'a' }));
    expect(await linesOf(metrics, 'requests_started_total')).toEqual(['dynamo_frontend_requests_started_total{model="unknown_model",endpoint="a",request_type="unary"} 1']);
    metrics.onCompleted(ended('m', { endpoint: 'a' }));
    expect((await linesOf(metrics, 'requests_started_total')).slice(1).sort()).toEqual(['a', 'b'].map((endpoint) => `dynamo_frontend_requests_started_total{model="m",endpoint="${endpoint}",request_type="unary"} 1`));
    expect(await counts(metrics, 'inflight_requests')).toEqual(['m 1', 'unknown_model 0']);
    metrics.onCompleted(ended('m', { endpoint: 'b' }));
    expect(await counts(metrics, 'inflight_requests')).toEqual(['m 0', 'unknown_model 0']);
    expect(await counts(metrics, 'active_requests')).toEqual(['m 0', 'unknown_model 0']);
  });

  test('models beyond the bound are counted as other, and so is a name of more than 256 characters', async () => {
    const metrics = createMetrics({ env: {}, maxModels: 2 });
    for (const model of ['x'.repeat(257), 'a', 'b', 'c', 'd', 'a']) run(metrics, model);
    expect(await counts(metrics, 'requests_total')).toEqual(['a 2', 'b 1', 'other 3']);
    expect(await counts(metrics, 'requests_started_total')).toEqual(['a 2', 'b 1', 'other 3']);
  });

  test('a request that names no model takes no place', async () => {
    const metrics = createMetrics({ env: {}, maxModels: 1 });
    run(metrics, 'unknown_model');
    run(metrics, 'real');
    expect(await counts(metrics, 'requests_total')).toEqual(['real 1', 'unknown_model 1']);
  });

  test('an end whose beginning was not told leaves the gauge alone', async () => {
    const metrics = createMetrics({ env: {} });
    metrics.onCompleted(ended('m'));
    expect(await counts(metrics, 'inflight_requests')).toEqual([]);
    expect(await counts(metrics, 'requests_total')).toEqual(['m 1']);
  });
});

describe('isServed', () => {
  test('false counts a model as unknown, whatever was answered; true makes it a label at once', async () => {
    const metrics = createMetrics({ env: {}, isServed: (model) => model === 'm' });
    for (const model of ['m', 'invented', 'other']) run(metrics, model);
    for (const name of ['requests_started_total', 'requests_total']) expect(await counts(metrics, name)).toEqual(['m 1', 'unknown_model 2']);
    metrics.onReceived(started('m'));
    expect(await counts(metrics, 'inflight_requests')).toEqual(['m 1', 'unknown_model 0']);
  });

  test('undefined leaves it to what is answered', async () => {
    const metrics = createMetrics({ env: {}, isServed: () => undefined });
    run(metrics, 'm');
    run(metrics, 'invented', FAILED);
    expect(await counts(metrics, 'requests_total')).toEqual(['m 1', 'unknown_model 1']);
  });

  test('open requests move in the gauge when a model comes or goes, and all end at zero', async () => {
    const served = new Set(['goes']);
    const metrics = createMetrics({ env: {}, isServed: (model) => served.has(model) });
    for (const model of ['comes', 'goes', 'comes']) metrics.onReceived(started(model));
    served.add('comes').delete('goes');
    expect(await counts(metrics, 'inflight_requests')).toEqual(['goes 1', 'unknown_model 2']);
    metrics.onReceived(started('comes'));
    expect(await counts(metrics, 'inflight_requests')).toEqual(['comes 3', 'goes 1', 'unknown_model 0']);
    for (const model of ['comes', 'goes', 'comes', 'comes']) metrics.onCompleted(ended(model));
    expect(await counts(metrics, 'inflight_requests')).toEqual(['comes 0', 'goes 0', 'unknown_model 0']);
  });

  test('one that throws or answers later counts the model as unknown', async () => {
    for (const isServed of [() => { throw new Error('no'); }, () => Promise.resolve(true) as unknown as boolean]) {
      const metrics = createMetrics({ env: {}, isServed });
      run(metrics, 'm');
      expect(await counts(metrics, 'requests_started_total')).toEqual(['unknown_model 1']);
    }
  });
});
