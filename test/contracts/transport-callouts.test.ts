/** Functions of the application that the transport calls beside a request, and what they can do wrong: the request goes on all the same. */
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Router, type RequestPlaneServerOptions, type RouteOptions, type RouterOptions, type RequestPlaneClientOptions } from 'dynamo-tracing/transport';
import { onRecord } from '../../src/logging/index.js';
import { afterTest, cleanUp, collect, failure, makeClient, serve } from '../transport/support.js';

type Callout = (...args: never[]) => unknown;
interface Place {
  readonly server?: RequestPlaneServerOptions;
  readonly client?: RequestPlaneClientOptions;
  readonly router?: Partial<RouterOptions>;
  readonly request?: RouteOptions;
}
const quiet = (): void => undefined;
const loggerWith = (name: string, bad: Callout): never => ({ trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, [name]: bad }) as never;

const PLACES: Readonly<Record<string, (bad: Callout) => Place>> = {
  'info of the logger of a worker': (bad) => ({ server: { logger: loggerWith('info', bad) } }),
  'isLevelEnabled of the logger of a worker': (bad) => ({ server: { logger: loggerWith('isLevelEnabled', bad) } }),
  'isLevelEnabled of the logger of a client': (bad) => ({ client: { logger: loggerWith('isLevelEnabled', bad) } }),
  'debug of the logger of a router': (bad) => ({ router: { logger: loggerWith('debug', bad) } }),
  onWorker: (bad) => ({ request: { onWorker: bad as never } }),
  'a listener for records': (bad) => {
    afterTest(onRecord(bad as never));
    return {};
  },
};
const trap = (): unknown => new Proxy(() => undefined, { get: (_, name) => { throw new Error(`${String(name)} is broken`); } });
const BEHAVIOURS: Readonly<Record<string, Callout>> = {
  throws: () => { throw new Error('planted'); },
  'throws nothing': () => { throw undefined; }, // eslint-disable-line @typescript-eslint/only-throw-error
  rejects: () => Promise.reject(new Error('planted')),
  'never settles': () => new Promise(() => undefined),
  'returns a symbol': () => Symbol('nonsense'),
  'returns what throws at each touch': trap,
  're-enters with a request of its own': () => {
    if (again.length === 0 && reenter !== undefined) again.push(reenter());
    return undefined;
  },
  'changes its arguments': (...args: unknown[]) => {
    for (const arg of args) if (typeof arg === 'object' && arg !== null) for (const key of Object.keys(arg)) Reflect.set(arg, key, 'mutated');
    return undefined;
  },
};
/** Sends a request as the one under way was sent; what became of it. */
let reenter: (() => Promise<unknown>) | undefined;
const again: Promise<unknown>[] = [];

const rejections: unknown[] = [];
const collectRejection = (reason: unknown): void => void rejections.push(reason);
beforeAll(() => {
  jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  process.on('unhandledRejection', collectRejection);
});
afterAll(() => void process.off('unhandledRejection', collectRejection));
afterEach(cleanUp);

const handler = async function* () { yield* [1, 2]; };

describe('a function of the application', () => {
  test.each(Object.keys(PLACES).flatMap((place) => Object.keys(BEHAVIOURS).filter((behaviour) => behaviour !== 'changes its arguments' || place !== 'a listener for records').map((behaviour) => [place, behaviour] as const)))('%s that %s costs no request its items', async (place, behaviour) => {
    let calls = 0;
    const { server, client, router, request } = PLACES[place]!(((...args: never[]) => {
      calls += 1;
      return BEHAVIOURS[behaviour]!(...args);
    }));
    const worker = await serve(handler, server);
    const routed = new Router({ client: makeClient(client), addresses: [worker.address], logger: false, env: {}, ...router });
    afterTest(() => routed.close());
    reenter = () => collect(routed.generate({}, request));
    again.length = 0;
    for (let i = 0; i < 2; i += 1) expect(await collect(routed.generate({}, request))).toEqual([1, 2]);
    expect(await Promise.all(again)).toEqual(again.map(() => [1, 2]));
    expect(again.length > 0).toBe(behaviour.startsWith('re-enters') && calls > 0);
    await new Promise(setImmediate);
    expect(rejections).toEqual([]);
    if (!place.includes('client')) expect(calls).toBeGreaterThan(0); // a client says nothing of what goes well
  });

  test.each(Object.keys(BEHAVIOURS))('callHomeHosts that %s refuses the caller', async (behaviour) => {
    const worker = await serve(handler, { callHomeHosts: BEHAVIOURS[behaviour] as never });
    expect(await failure(collect(makeClient().generate(worker.address, {})))).toMatchObject({ code: expect.stringMatching(/^ERR_/) });
    await new Promise(setImmediate);
    expect(rejections).toEqual([]);
  });
});

const BAD_HANDLERS: Readonly<Record<string, unknown>> = {
  throws: () => { throw new Error('planted'); },
  'throws nothing': () => { throw undefined; }, // eslint-disable-line @typescript-eslint/only-throw-error
  rejects: () => Promise.reject(new Error('planted')),
  'returns nothing': () => undefined,
  'returns a symbol': () => Symbol('nonsense'),
  'returns what throws at each touch': trap,
  'returns an iterable whose iterator throws': () => ({ [Symbol.asyncIterator]: () => { throw new Error('planted'); } }),
  'returns an iterator without next': () => ({ [Symbol.asyncIterator]: () => ({}) }),
  'returns an iterator whose steps are no objects': () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(undefined) }) }),
  'returns an iterator whose steps are numbers': () => ({ [Symbol.iterator]: () => ({ next: () => 5 }) }),
  'yields what cannot be written': async function* () { yield { get field() { throw new Error('planted'); } }; },
};

test.each(Object.keys(BAD_HANDLERS))('a worker whose handler %s answers with an error, and goes on', async (behaviour) => {
  const worker = await serve(BAD_HANDLERS[behaviour] as never);
  const good = worker.server.endpoint('dynamo.backend.other', handler);
  const client = makeClient({ prologueTimeoutMs: 5000 });
  expect(await failure(collect(client.generate(worker.address, {})))).toMatchObject({ code: expect.stringMatching(/^ERR_(GENERATE_FAILED|WORKER_ERROR)$/) });
  expect(await collect(client.generate(good.address, {}))).toEqual([1, 2]);
  await new Promise(setImmediate);
  expect([rejections, worker.inFlight]).toEqual([[], 0]);
});
