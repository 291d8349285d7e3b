/** Code of others that the metrics call: prom-client, a meter provider, the application's labels and `isServed`, the observer of a worker. */
import { metrics as otel } from '@opentelemetry/api';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import * as prom from 'prom-client';
import { currentTrace, type DynamoTracingOptions } from 'dynamo-tracing';
import { createMetrics, createWorkerMetrics, type MetricsOptions } from 'dynamo-tracing/metrics';
import { CHAT, post, send } from '../support/client.js';
import { FRAMEWORKS, type TestServer } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';
import { cleanUp, collect, failure, makeClient, serve } from '../transport/support.js';

type Callout = (...args: never[]) => unknown;
const trap = (): unknown => new Proxy(() => undefined, { get: (_, name) => { throw new Error(`${String(name)} is broken`); } });
const BEHAVIOURS: Readonly<Record<string, Callout>> = {
  throws: () => { throw new Error('planted'); },
  'throws nothing': () => { throw undefined; }, // eslint-disable-line @typescript-eslint/only-throw-error
  rejects: () => Promise.reject(new Error('planted')),
  'never settles': () => new Promise(() => undefined),
  'returns a symbol': () => Symbol('nonsense'),
  'returns what throws at each touch': trap,
  're-enters the request': () => {
    currentTrace()?.usage({ outputTokens: 1 });
    currentTrace()?.set({ again: true });
    return undefined;
  },
  'changes its arguments': (...args: unknown[]) => {
    for (const arg of args) if (typeof arg === 'object' && arg !== null) for (const key of Object.keys(arg)) Reflect.set(arg, key, 'mutated');
    return undefined;
  },
};

/** prom-client whose metrics of one kind do this when they are told something. */
function clientWith(kind: 'Counter' | 'Gauge' | 'Histogram', bad: Callout): never {
  const method = kind === 'Histogram' ? 'observe' : 'inc';
  const Bad = class extends (prom[kind] as unknown as new (config: object) => object) {
    constructor(config: object) {
      super(config);
      Object.defineProperty(this, method, { value: bad });
    }
  };
  return { ...prom, [kind]: Bad } as never;
}
/** A meter provider of which one function does this. */
function provide(place: 'getMeter' | 'createHistogram' | 'record', bad: Callout): MetricsOptions {
  const histogram = { record: place === 'record' ? bad : () => undefined };
  const meter = { createHistogram: place === 'createHistogram' ? bad : () => histogram };
  otel.setGlobalMeterProvider({ getMeter: place === 'getMeter' ? bad : () => meter } as never);
  return {};
}
const PLACES: Readonly<Record<string, (bad: Callout) => MetricsOptions>> = {
  isServed: (bad) => ({ isServed: bad as never }),
  'a label': (bad) => ({ labels: { region: 'eu', tenant: bad as never } }),
  'a counter of prom-client': (bad) => ({ client: clientWith('Counter', bad) }),
  'a gauge of prom-client': (bad) => ({ client: clientWith('Gauge', bad) }),
  'a histogram of prom-client': (bad) => ({ client: clientWith('Histogram', bad) }),
  'a meter provider': (bad) => provide('getMeter', bad),
  'a meter': (bad) => provide('createHistogram', bad),
  'a histogram of OpenTelemetry': (bad) => provide('record', bad),
};
const cases = (places: object): (readonly [string, string])[] => Object.keys(places).flatMap((place) => Object.keys(BEHAVIOURS).map((behaviour) => [place, behaviour] as const));

const rejections: unknown[] = [];
const warnings: string[] = [];
const collectRejection = (reason: unknown): void => void rejections.push(reason);
beforeAll(() => {
  jest.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
  process.on('unhandledRejection', collectRejection);
});
afterAll(() => void process.off('unhandledRejection', collectRejection));

describe('the metrics of a front end', () => {
  const { start } = FRAMEWORKS.find(({ name }) => name === 'node:http')!;
  let server: TestServer | undefined;
  let tap: RecordTap;
  afterEach(async () => {
    await server?.close();
    tap.stop();
    otel.disable();
  });

  test.each(cases(PLACES))('%s that %s costs no request its answer, its record and the scrape', async (place, behaviour) => {
    tap = new RecordTap();
    let calls = 0;
    const metrics = createMetrics({ env: {}, ...PLACES[place]!((...args) => {
      calls += 1;
      return BEHAVIOURS[behaviour]!(...args);
    }) });
    const tracing: DynamoTracingOptions = { logger: false, onReceived: metrics.onReceived, onCompleted: metrics.onCompleted };
    server = await start({ tracing, native: { [CHAT]: (answers) => answers.json(200, { usage: { prompt_tokens: 3, completion_tokens: 2 } }) }, raw: { '/metrics': metrics.handler } });
    expect((await post(server.port)).status).toBe(200);
    expect(await tap.next('request completed')).toMatchObject({ status: 'success', model: 'm', input_tokens: 3 });
    const scraped = await send(server.port, { path: '/metrics' });
    expect([scraped.status, scraped.body.includes('dynamo_frontend_requests_total')]).toEqual([200, true]);
    await new Promise(setImmediate);
    expect([rejections, calls > 0, tap.of('request completed').length]).toEqual([[], true, 1]);
  });

  const SCRAPES = Object.keys(BEHAVIOURS).filter((behaviour) => behaviour !== 'never settles'); // a scraper has a time limit of its own
  test.each(SCRAPES)('a registry whose metrics() %s costs the scrape an answer of 500 at most', async (behaviour) => {
    tap = new RecordTap();
    const registry = new prom.Registry();
    const metrics = createMetrics({ env: {}, registry });
    registry.metrics = BEHAVIOURS[behaviour] as never;
    server = await start({ tracing: { logger: false }, raw: { '/metrics': metrics.handler } });
    expect([200, 500]).toContain((await send(server.port, { path: '/metrics' })).status);
    expect(rejections).toEqual([]);
  });
});

describe('the observer of a worker', () => {
  afterEach(cleanUp);
  const OBSERVERS: Readonly<Record<string, (bad: Callout) => object>> = {
    onWorker: (bad) => ({ onWorker: bad }),
    onReceived: (bad) => ({ onReceived: bad }),
    onCompleted: (bad) => ({ onCompleted: bad }),
    'a counter of prom-client': (bad) => createWorkerMetrics({ client: clientWith('Counter', bad) }).observer,
    'a gauge of prom-client': (bad) => createWorkerMetrics({ client: clientWith('Gauge', bad) }).observer,
    'a histogram of prom-client': (bad) => createWorkerMetrics({ client: clientWith('Histogram', bad) }).observer,
  };
  test.each(cases(OBSERVERS))('%s that %s costs no request its items', async (place, behaviour) => {
    let calls = 0;
    const worker = await serve(async function* () { yield* [1, 2]; }, { observer: OBSERVERS[place]!((...args) => {
      calls += 1;
      return BEHAVIOURS[behaviour]!(...args);
    }) });
    const client = makeClient();
    expect(await collect(client.generate(worker.address, {}))).toEqual([1, 2]);
    expect(await collect(client.generate(worker.address, {}))).toEqual([1, 2]);
    await new Promise(setImmediate);
    expect([rejections, calls > 0, worker.inFlight]).toEqual([[], true, 0]);
  });

  test.each(Object.keys(BEHAVIOURS))('onRejected that %s leaves the caller the refusal', async (behaviour) => {
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    const worker = await serve(async function* () {
      yield 1;
      await held;
    }, { workerPoolSize: 1, workQueueSize: 0, observer: { onRejected: BEHAVIOURS[behaviour] as never } });
    const client = makeClient();
    const first = client.generate(worker.address, {});
    expect(await first.next()).toEqual({ done: false, value: 1 });
    expect(await failure(collect(client.generate(worker.address, {})))).toMatchObject({ code: 'ERR_WORKER_OVERLOADED' });
    release();
    expect(await collect(first)).toEqual([]);
    expect(rejections).toEqual([]);
  });
});

test('each place that failed is reported once', () => {
  expect(warnings.length).toBe(new Set(warnings.map((text) => text.split(' failed: ')[0])).size);
  expect(warnings.map((text) => text.split(' failed: ')[0])).toEqual(expect.arrayContaining(['metrics', 'OpenTelemetry metrics', 'createMetrics.isServed', 'createMetrics.labels.tenant', 'observer.onCompleted']));
});
