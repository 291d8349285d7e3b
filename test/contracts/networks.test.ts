/** A network of the application's own: every way of it to fail is a coded error of the request, and nothing else. */
import { Duplex } from 'node:stream';
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { RequestPlaneServer, tcpNetwork, type Network } from 'dynamo-tracing/transport';
import { cleanUp, collect, failure, makeClient, serve } from '../transport/support.js';

const rejections: unknown[] = [];
const collectRejection = (reason: unknown): void => void rejections.push(reason);
beforeAll(() => {
  jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  process.on('unhandledRejection', collectRejection);
});
afterAll(() => void process.off('unhandledRejection', collectRejection));
afterEach(cleanUp);

const planted = (): never => { throw new Error('planted'); };
const nothing = (): never => { throw undefined; }; // eslint-disable-line @typescript-eslint/only-throw-error
const real = tcpNetwork({ env: {} });

/** A connection that is open at once and does this with what is written. */
const opened = (write: () => void): Duplex => {
  const socket = new Duplex({ read: () => undefined, write });
  setImmediate(() => socket.emit('connect'));
  return socket;
};
const CONNECT: Readonly<Record<string, () => unknown>> = {
  'throws': planted,
  'throws nothing': nothing,
  'returns nothing': () => undefined,
  'returns a promise that rejects': () => Promise.reject(new Error('planted')),
  'returns an object that is no connection': () => ({ on: () => undefined }),
  'never connects': () => new Duplex({ read: () => undefined }),
  'fails without a reason': () => new Duplex({ read: () => undefined }).destroy(),
  'throws when it is written to': () => opened(planted),
  'throws nothing when it is written to': () => opened(nothing),
  'never takes what is written': () => opened(() => undefined),
  'sends nonsense': () => {
    const socket = opened(() => undefined);
    setImmediate(() => socket.push('HTTP/1.1 400 Bad Request\r\n\r\n'));
    return socket;
  },
};
const CODED = expect.stringMatching(/^ERR_(CONNECT_FAILED|CONNECT_TIMEOUT|CONNECTION_CLOSED|ACK_TIMEOUT|WORKER_PROTOCOL)$/);

test.each(Object.keys(CONNECT))('a network whose connection %s costs the request a coded error', async (what) => {
  const worker = await serve(async function* () { yield 1; });
  const client = makeClient({ network: { ...real, connect: CONNECT[what] as never }, requestTimeoutMs: 200, connectTimeoutMs: 100 });
  const all = await Promise.all([1, 2, 3].map(() => failure(collect(client.generate(worker.address, {})))));
  expect(all).toMatchObject([{ code: CODED }, { code: CODED }, { code: CODED }]);
  await new Promise((resolve) => setTimeout(resolve, 250)); // longer than the time limits of the requests
  expect(rejections).toEqual([]);
});

test.each(Object.keys(CONNECT))('a worker whose connection to the caller %s fails this request alone', async (what) => {
  let calls = 0;
  const connect: Network['connect'] = (target) => ((calls += 1) === 1 ? CONNECT[what]!() as Duplex : real.connect(target));
  const worker = await serve(async function* () { yield 1; }, { network: { ...real, connect }, connectTimeoutMs: 100, finTimeoutMs: 100 });
  const client = makeClient({ prologueTimeoutMs: 300 });
  expect(await failure(collect(client.generate(worker.address, {})))).toMatchObject({ code: 'ERR_PROLOGUE_TIMEOUT' });
  expect(await collect(client.generate(worker.address, {}))).toEqual([1]);
  expect(rejections).toEqual([]);
});

const LISTEN: Readonly<Record<string, () => unknown>> = {
  'throws': planted,
  'throws nothing': nothing,
  'rejects': () => Promise.reject(new Error('planted')),
  'resolves to nothing': () => Promise.resolve(),
  'returns what is no listener': () => ({ port: 1 }),
};
test.each(Object.keys(LISTEN))('a network whose listen %s costs the caller ERR_LISTEN_FAILED, and is asked again', async (what) => {
  const worker = await serve(async function* () { yield 1; });
  let calls = 0;
  const network: Network = { ...real, listen: (...at) => ((calls += 1) === 1 ? LISTEN[what]!() as never : real.listen(...at)) };
  const client = makeClient({ network });
  expect(await failure(collect(client.generate(worker.address, {})))).toMatchObject({ code: 'ERR_LISTEN_FAILED' });
  expect(await collect(client.generate(worker.address, {}))).toEqual([1]);
  const server = new RequestPlaneServer({ host: '127.0.0.1', logger: false, env: {}, network: { ...real, listen: LISTEN[what] as never } });
  expect(await failure(server.listen())).toMatchObject({ code: 'ERR_LISTEN_FAILED' });
  await server.close();
  expect(rejections).toEqual([]);
});

test.each(['ref', 'unref', 'close'] as const)('a listener whose %s throws costs no request its items and no close its end', async (name) => {
  const worker = await serve(async function* () { yield 1; });
  const network: Network = { ...real, listen: async (...at) => {
    const listener = await real.listen(...at);
    return { ...listener, [name]: () => {
      if (name === 'close') void listener.close();
      throw new Error('planted');
    } };
  } };
  const client = makeClient({ network });
  expect(await collect(client.generate(worker.address, {}))).toEqual([1]);
  await client.close();
  await new Promise(setImmediate);
  expect(rejections).toEqual([]);
});
