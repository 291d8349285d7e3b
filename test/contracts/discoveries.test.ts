/** A discovery of the application's own: what it throws, yields or never says costs a request at most a coded error. */
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Router } from 'dynamo-tracing/transport';
import type { Instance } from '../../src/transport/discovery/index.js';
import { afterTest, cleanUp, collect, failure, makeClient, serve, type TestWorker } from '../transport/support.js';

const rejections: unknown[] = [];
const warnings: string[] = [];
const collectRejection = (reason: unknown): void => void rejections.push(reason);
beforeAll(() => {
  jest.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
  process.on('unhandledRejection', collectRejection);
});
afterAll(() => void process.off('unhandledRejection', collectRejection));
afterEach(cleanUp);

const planted = (): never => { throw new Error('planted'); };
const instanceOf = ({ address }: TestWorker): Instance => ({ namespace: 'd', component: 'b', endpoint: 'g', instanceId: 1n, transport: { tcp: address }, codec: 'json' });
const close = (): void => undefined;

function routerOf(watch: (endpoint: string) => unknown): Router {
  const router = new Router({ client: makeClient(), discovery: { watch: watch as never }, endpoint: 'd.b.g', logger: false, env: {} });
  afterTest(() => router.close());
  return router;
}
const worker = (): Promise<TestWorker> => serve(async function* () { yield* [1, 2]; });

const BROKEN: Readonly<Record<string, () => unknown>> = {
  'throws': planted,
  'rejects': () => Promise.reject(new Error('planted')),
  'rejects with nothing': () => Promise.reject(undefined), // eslint-disable-line @typescript-eslint/prefer-promise-reject-errors
  'returns nothing': () => undefined,
  'yields a number': () => Promise.resolve(5),
  'yields a list whose instances are no array': () => Promise.resolve({ instances: 'all', close }),
  'yields a list whose instances cannot be read': () => Promise.resolve({ get instances() { return planted(); }, close }),
};
test.each(Object.keys(BROKEN))('a watch that %s costs the request ERR_DISCOVERY, and the next one asks again', async (what) => {
  const good = { instances: [instanceOf(await worker())], close };
  let calls = 0;
  const router = routerOf(() => ((calls += 1) === 1 ? BROKEN[what]!() : Promise.resolve(good)));
  expect(await failure(collect(router.generate({})))).toMatchObject({ code: 'ERR_DISCOVERY', endpoint: 'd.b.g' });
  expect(await collect(router.generate({}))).toEqual([1, 2]);
  await router.close();
  expect(rejections).toEqual([]);
});

describe('a watch that never answers', () => {
  test('leaves a request by its signal', async () => {
    const abort = new AbortController();
    const routed = collect(routerOf(() => new Promise(() => undefined)).generate({}, { signal: abort.signal }));
    setImmediate(() => abort.abort());
    expect(await failure(routed)).toMatchObject({ code: 'ERR_CANCELLED' });
  });

  test.each(['cancel', 'return'] as const)('leaves a request by its %s()', async (name) => {
    const stream = routerOf(() => new Promise(() => undefined)).generate({});
    const first = failure(stream.next());
    await (stream[name]).call(stream);
    expect(await first).toMatchObject({ code: 'ERR_CANCELLED' });
    expect(await stream.ended).toMatchObject({ outcome: 'cancelled' });
  });

  test('does not keep a router from closing, and is closed when it does answer', async () => {
    let answer!: (list: unknown) => void;
    let closed = 0;
    const router = routerOf(() => new Promise((resolve) => (answer = resolve)));
    const request = failure(collect(router.generate({})));
    await new Promise(setImmediate);
    await router.close();
    answer({ instances: [], close: () => void (closed += 1) });
    expect(await request).toMatchObject({ code: 'ERR_NO_WORKERS' });
    expect(closed).toBe(1);
  });
});

const LISTS: Readonly<Record<string, (good: Instance) => object>> = {
  'whose onChange throws': (good) => ({ instances: [good], onChange: planted, close }),
  'whose onChange rejects': (good) => ({ instances: [good], onChange: () => Promise.reject(new Error('planted')), close }),
  'whose onChange is no function': (good) => ({ instances: [good], onChange: 5, close }),
  'whose onChange calls at once, and again within that call': (good) => ({ instances: [good], onChange: (changed: () => void) => (changed(), changed()), close }),
  'whose close throws': (good) => ({ instances: [good], close: planted }),
  'with instances that are none': (good) => ({ instances: [undefined, 5, {}, { transport: null }, { transport: { tcp: 5 } }, good], close }),
};
test.each(Object.keys(LISTS))('a list %s costs no request its items', async (what) => {
  const list = LISTS[what]!(instanceOf(await worker()));
  const router = routerOf(async () => list);
  expect(await collect(router.generate({}))).toEqual([1, 2]);
  expect(await collect(router.generate({}))).toEqual([1, 2]);
  await router.close();
  expect(rejections).toEqual([]);
});

test('a discovery that calls its listener with a list that cannot be read is not thrown into', async () => {
  const good = [instanceOf(await worker())];
  let isBroken = false;
  let changed!: () => void;
  const router = routerOf(async () => ({ get instances() { return isBroken ? planted() : good; }, onChange: (listener: () => void) => (changed = listener), close }));
  expect(await collect(router.generate({}))).toEqual([1, 2]);
  isBroken = true;
  expect(changed).not.toThrow();
  expect(await failure(collect(router.generate({})))).toMatchObject({ code: 'ERR_DISCOVERY' });
  isBroken = false;
  expect(await collect(router.generate({}))).toEqual([1, 2]);
});

test('what a discovery throws beside a request is reported once', () => {
  expect(warnings.filter((text) => text.startsWith('discovery'))).toHaveLength(1);
});
