/** A port where a worker was and another program is now, and workers that answer what cannot be read: no fault of the request. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { encodeAck, encodeTwoPart, Router, type RequestPlaneClient } from 'dynamo-tracing/transport';
import { classifyThrown } from '../../src/middleware/error-answer';
import { failureOf } from '../../src/errors/index';
import { silentAfterAck, STRANGERS } from './strangers';
import { ACCEPT, afterTest, cleanUp, collect, dialHome, failure, itemFrame, listen, makeClient, PROLOGUE, rawWorker, SENTINEL, serve } from './support';

afterEach(cleanUp);

/** Few bytes to a frame. A worker that is well and slow must not count as silent. */
const client = (): RequestPlaneClient => makeClient({ maxMessageSize: 2000, requestTimeoutMs: 1000 });

it('a caller whom nobody knows is cut off when it has sent more than 64 KiB, whatever time a handshake has', async () => {
  const cut = new Promise((resolve) => void rawWorker((_frame, _socket, { connectionInfo: { host, port } }) => {
    const stranger = connect({ host, port });
    afterTest(() => stranger.destroy());
    stranger.on('error', () => undefined).on('close', resolve);
    stranger.write(Buffer.concat([encodeTwoPart(Buffer.alloc(2 ** 20))[0]!, Buffer.alloc(65_536)]));
  }).then(({ address }) => failure(makeClient({ handshakeTimeoutMs: 600_000 }).openStream(address, 1))));
  await cut;
});

describe.each(STRANGERS)('%s in the place of a worker', (_what, start, code) => {
  it(`is ${code}, and the answer to the caller is never 400`, async () => {
    const error = await failure((async () => collect(await client().openStream((await start()).address, 1)))());
    expect(error).toMatchObject({ code });
    expect(failureOf(error)).toMatchObject({ migratable: true, inhibits: true });
    expect([failureOf(error).status, classifyThrown(error).status]).not.toContain(400);
  });

  it('loses its request to another worker and is left alone', async () => {
    const { address: stranger } = await start();
    const worker = await serve(async function* () { yield 'well'; });
    const router = new Router({ client: client(), addresses: [stranger, worker.address], inhibitedMs: 600_000, logger: false, env: {} });
    const asked: string[] = [];
    for (let n = 0; n < 3; n += 1) expect(await collect(router.generate(n, { onWorker: ({ address }) => asked.push(address) }))).toEqual(['well']);
    expect(asked).toEqual([stranger, worker.address, worker.address, worker.address]);
  });
});

describe('a program that acknowledges and never calls home', () => {
  it('is ERR_PROLOGUE_TIMEOUT for its request and is left alone afterwards', async () => {
    const [stranger, worker] = [await silentAfterAck(), await serve(async function* () { yield 'well'; })];
    const router = new Router({ client: client(), addresses: [stranger.address, worker.address], inhibitedMs: 600_000, logger: false, env: {} });
    const asked: string[] = [];
    const ask = (): Promise<unknown[]> => collect(router.generate(1, { prologueTimeoutMs: 50, onWorker: ({ address }) => asked.push(address) }));
    expect(await failure(ask())).toMatchObject({ code: 'ERR_PROLOGUE_TIMEOUT', calledHome: false });
    for (let n = 0; n < 3; n += 1) expect(await collect(router.generate(n, { onWorker: ({ address }) => asked.push(address) }))).toEqual(['well']);
    expect(asked).toEqual([stranger.address, worker.address, worker.address, worker.address]);
  });

  it('is one too on the port of a worker that called home before', async () => {
    const one = client();
    const worker = await serve(async function* () { yield 'well'; });
    await collect(one.generate(worker.address, 1));
    await worker.server.close({ graceMs: 0 });
    const { port } = new URL(worker.address.replace('tcp:', 'http:'));
    await silentAfterAck(Number(port));
    // The first request may still find the connection that is being closed.
    const errors = [await failure(one.openStream(worker.address, 1, { prologueTimeoutMs: 50 })), await failure(one.openStream(worker.address, 1, { prologueTimeoutMs: 50 }))];
    expect(errors[1]).toMatchObject({ code: 'ERR_PROLOGUE_TIMEOUT', calledHome: false });
  });

  it('is none where a worker has called home: its silence is its queue', async () => {
    let requests = 0;
    const worker = await rawWorker((_frame, socket, control) => {
      socket.write(ACCEPT);
      requests += 1;
      if (requests === 1) void dialHome(control).then((home) => home.end(Buffer.concat([PROLOGUE, itemFrame(1), SENTINEL])));
    });
    const one = client();
    await failure(collect(one.generate(worker.address, 1)));
    const error = await failure(one.openStream(worker.address, 1, { prologueTimeoutMs: 50 }));
    expect(error).toMatchObject({ code: 'ERR_PROLOGUE_TIMEOUT', calledHome: true });
    expect(failureOf(error)).toMatchObject({ migratable: false, inhibits: false, status: 504 });
  });
});

it('requests that wait behind an ack over the limit are the worker\'s fault as well', async () => {
  const { address } = await listen((socket) => socket.on('data', () => socket.write(encodeAck('x'.repeat(4000)))));
  const one = makeClient({ maxMessageSize: 2000, poolSize: 1 });
  for (const error of await Promise.all([1, 2, 3].map((n) => failure(one.openStream(address, n))))) {
    expect(failureOf(error)).toMatchObject({ migratable: true, inhibits: true });
    expect(classifyThrown(error).status).not.toBe(400);
  }
});

it('an item over the limit behind others fails the stream with what the limit is, and no other worker is asked', async () => {
  const { address: first } = await rawWorker((_frame, socket, control) => {
    socket.write(ACCEPT);
    void dialHome(control).then((home) => home.write(Buffer.concat([PROLOGUE, itemFrame(1), itemFrame('x'.repeat(4000)), SENTINEL])));
  });
  const router = new Router({ client: client(), addresses: [first, first.replace('/1/', '/2/')], logger: false, env: {} });
  const stream = router.generate(1);
  await expect(stream.next()).resolves.toEqual({ done: false, value: 1 });
  const error = await failure(stream.next());
  expect(error).toMatchObject({ code: 'ERR_WORKER_PROTOCOL', limit: 2000, size: expect.any(Number) });
  expect(classifyThrown(error).status).not.toBe(400);
  expect(stream.attempts).toBe(1);
});

it('a socket that calls home while maxCallsHome others have not begun an answer is closed, and they stay', async () => {
  const seen = new Promise<unknown>((resolve) => {
    void rawWorker((_frame, socket, control) => {
      void (async () => {
        const { host, port } = control.connectionInfo;
        const [silent, second] = [connect({ host, port }), connect({ host, port })];
        for (const one of [silent, second]) afterTest(() => one.destroy());
        const closed = await Promise.race([silent, second].map((one) => once(one.on('error', () => undefined).resume(), 'close').then(() => one)));
        resolve([silent, second].filter((one) => one !== closed && !one.destroyed).length);
        socket.destroy();
      })();
    }).then(({ address }) => failure(makeClient({ maxCallsHome: 1 }).openStream(address, {})));
  });
  expect(await seen).toBe(1);
});
