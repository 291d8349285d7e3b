/** A port where a worker was and another program is now, and workers that answer what cannot be read: no fault of the request. */
import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { once } from 'node:events';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { encodeAck, encodePrologue, encodeTwoPart, Router, type RequestPlaneClient } from 'dynamo-tracing/transport';
import { classifyThrown } from '../../src/middleware/error-answer';
import { failureOf } from '../../src/errors/index';
import { makeCertificate } from '../support/certificate';
import { ACCEPT, afterTest, cleanUp, collect, dialHome, failure, headerFrame, itemFrame, listen, makeClient, PROLOGUE, rawWorker, SENTINEL, serve } from './support';

afterEach(cleanUp);

/** The address of a worker that such a server would be. */
async function addressOf(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  afterTest(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}/1/generate`;
}

let certificate: { readonly cert: string; readonly key: string };
beforeAll(() => {
  certificate = makeCertificate();
});

const TLS_ALERT = Buffer.from('15030100020246', 'hex');
const garbage = (): Buffer => Buffer.concat([Buffer.from([0x80]), randomBytes(255)]);
const answering = async (bytes: () => string | Uint8Array): Promise<string> => (await listen((socket) => socket.on('data', () => socket.write(bytes())))).address;
const homeWith = async (...frames: Uint8Array[]): Promise<string> => (await rawWorker((_frame, socket, control) => {
  socket.write(ACCEPT);
  void dialHome(control).then((home) => home.write(Buffer.concat(frames)));
})).address;

const BROKEN: readonly (readonly [string, () => Promise<string>, string])[] = [
  ['an HTTP server', () => addressOf(createHttpServer((_request, response) => response.end())), 'ERR_WORKER_PROTOCOL'],
  ['a program that answers with text', () => answering(() => '-ERR unknown command\r\n'), 'ERR_WORKER_PROTOCOL'],
  ['a program that greets with text', async () => (await listen((socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n'))).address, 'ERR_WORKER_PROTOCOL'],
  ['a program that answers with a TLS alert', () => answering(() => TLS_ALERT), 'ERR_WORKER_PROTOCOL'],
  ['a program that answers with random bytes', () => answering(garbage), 'ERR_WORKER_PROTOCOL'],
  ['a TLS server', () => addressOf(createTlsServer(certificate)), 'ERR_CONNECTION_CLOSED'],
  ['a program that closes', async () => (await listen((socket) => socket.end())).address, 'ERR_CONNECTION_CLOSED'],
  ['a program that says nothing', async () => (await listen((socket) => socket.resume())).address, 'ERR_ACK_TIMEOUT'],
  ['a worker whose ack is over the limit', () => answering(() => encodeAck('x'.repeat(4000))), 'ERR_WORKER_PROTOCOL'],
  ['a worker that acknowledges what nobody sent', () => answering(() => Buffer.concat([encodeAck('Server unavailable: no'), ACCEPT])), 'ERR_WORKER_UNAVAILABLE'],
  ['a worker whose prologue is over the limit', () => homeWith(headerFrame(encodePrologue({ error: 'x'.repeat(4000) }))), 'ERR_WORKER_PROTOCOL'],
  ['a worker whose prologue is none', () => homeWith(itemFrame(1)), 'ERR_WORKER_PROTOCOL'],
  ['a worker whose prologue is not JSON', () => homeWith(headerFrame(Buffer.from('{'))), 'ERR_WORKER_PROTOCOL'],
  ['a worker whose first item is over the limit', () => homeWith(PROLOGUE, itemFrame('x'.repeat(4000))), 'ERR_WORKER_PROTOCOL'],
  ['a worker that sends a control frame of its own', () => homeWith(PROLOGUE, headerFrame(Buffer.from('"stop"'))), 'ERR_WORKER_PROTOCOL'],
  ['a worker whose sentinel has data', () => homeWith(PROLOGUE, Buffer.concat(encodeTwoPart(Buffer.from('"sentinel"'), Buffer.from('x')))), 'ERR_WORKER_PROTOCOL'],
];

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

describe.each(BROKEN)('%s in the place of a worker', (_what, start, code) => {
  it(`is ${code}, and the answer to the caller is never 400`, async () => {
    const error = await failure((async () => collect(await client().openStream(await start(), 1)))());
    expect(error).toMatchObject({ code });
    expect(failureOf(error)).toMatchObject({ migratable: true, inhibits: true });
    expect([failureOf(error).status, classifyThrown(error).status]).not.toContain(400);
  });

  it('loses its request to another worker and is left alone', async () => {
    const stranger = await start();
    const worker = await serve(async function* () { yield 'well'; });
    const router = new Router({ client: client(), addresses: [stranger, worker.address], inhibitedMs: 600_000, logger: false, env: {} });
    const asked: string[] = [];
    for (let n = 0; n < 3; n += 1) expect(await collect(router.generate(n, { onWorker: ({ address }) => asked.push(address) }))).toEqual(['well']);
    expect(asked).toEqual([stranger, worker.address, worker.address, worker.address]);
  });
});

describe('a program that acknowledges and never calls home', () => {
  const silent = async (): ReturnType<typeof listen> => rawWorker((_frame, socket) => void socket.write(ACCEPT));

  it('is ERR_PROLOGUE_TIMEOUT for its request and is left alone afterwards', async () => {
    const [stranger, worker] = [await silent(), await serve(async function* () { yield 'well'; })];
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
    await rawWorker((_frame, socket) => void socket.write(ACCEPT), Number(port));
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
  const address = await answering(() => encodeAck('x'.repeat(4000)));
  const one = makeClient({ maxMessageSize: 2000, poolSize: 1 });
  for (const error of await Promise.all([1, 2, 3].map((n) => failure(one.openStream(address, n))))) {
    expect(failureOf(error)).toMatchObject({ migratable: true, inhibits: true });
    expect(classifyThrown(error).status).not.toBe(400);
  }
});

it('an item over the limit behind others fails the stream with what the limit is, and no other worker is asked', async () => {
  const first = await homeWith(PROLOGUE, itemFrame(1), itemFrame('x'.repeat(4000)), SENTINEL);
  const router = new Router({ client: client(), addresses: [first, first.replace('/1/', '/2/')], logger: false, env: {} });
  const stream = router.generate(1);
  await expect(stream.next()).resolves.toEqual({ done: false, value: 1 });
  const error = await failure(stream.next());
  expect(error).toMatchObject({ code: 'ERR_WORKER_PROTOCOL', limit: 2000, size: expect.any(Number) });
  expect(classifyThrown(error).status).not.toBe(400);
  expect(stream.attempts).toBe(1);
});
