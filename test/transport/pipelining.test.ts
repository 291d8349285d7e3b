import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from '@jest/globals';
import { encodeAck, type RequestPlaneClientOptions } from 'dynamo-tracing/transport';
import { until } from '../support/until';
import { ACCEPT, cleanUp, failure, listen, makeClient, watchedNetwork } from './support';
import { RequestFrameDecoder, type RequestFrame } from 'dynamo-tracing/transport';

afterEach(cleanUp);

const BODY = [Buffer.from('body')];

/** A worker that keeps frames until the test answers them. */
async function silentWorker(): Promise<{ address: string; frames: RequestFrame[]; sockets: Set<Socket>; server: Server; ack: (text?: string) => void }> {
  const frames: RequestFrame[] = [];
  let last: Socket | undefined;
  const { address, sockets, server } = await listen((socket) => {
    const decoder = new RequestFrameDecoder();
    socket.on('data', (chunk: Buffer) => {
      last = socket;
      decoder.push(chunk);
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) if (frame.kind === 'request') frames.push(frame);
    });
  });
  return { address, frames, sockets, server, ack: (text = '') => void last!.write(encodeAck(text)) };
}

const one = (options: RequestPlaneClientOptions = {}) => makeClient({ poolSize: 1, ...options });

describe('requests on one connection', () => {
  it('are written without waiting for acks, and acks go to them in order', async () => {
    const worker = await silentWorker();
    const client = one();
    const order: string[] = [];
    const calls = ['a', 'b', 'c'].map((name) => client.send(worker.address, { name }, BODY).then(() => order.push(name), (error: unknown) => order.push(`${name} ${(error as { code: string }).code}`)));
    await until('three frames', () => worker.frames.length === 3);
    expect(worker.frames.map((frame) => frame.headers['name'])).toEqual(['a', 'b', 'c']);
    worker.ack();
    worker.ack('Server overloaded: worker at capacity');
    worker.ack();
    await Promise.all(calls);
    expect(order).toEqual(['a', 'b ERR_WORKER_OVERLOADED', 'c']);
  });

  it('that time out or are aborted still consume their ack', async () => {
    const worker = await silentWorker();
    const client = one();
    const abort = new AbortController();
    const late = failure(client.send(worker.address, {}, BODY, { timeoutMs: 30 }));
    const aborted = failure(client.send(worker.address, {}, BODY, { signal: abort.signal }));
    const kept = client.send(worker.address, {}, BODY);
    await until('three frames', () => worker.frames.length === 3);
    abort.abort();
    expect(await aborted).toMatchObject({ code: 'ERR_CANCELLED' });
    expect(await late).toMatchObject({ code: 'ERR_ACK_TIMEOUT', timeoutMs: 30 });
    worker.ack('Server unavailable: for the first');
    worker.ack('Server unavailable: for the second');
    worker.ack();
    await expect(kept).resolves.toBeUndefined();
  });

  it('fail together when the worker closes it, and the next one gets a new connection', async () => {
    const worker = await silentWorker();
    const client = one();
    const calls = [failure(client.send(worker.address, {}, BODY)), failure(client.send(worker.address, {}, BODY))];
    await until('two frames', () => worker.frames.length === 2);
    for (const socket of worker.sockets) socket.destroy();
    for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: 'ERR_CONNECTION_CLOSED' });
    const again = client.send(worker.address, {}, BODY);
    await until('a third frame', () => worker.frames.length === 3);
    worker.ack();
    await expect(again).resolves.toBeUndefined();
  });

  it('are bounded: further ones wait, and fail when too many wait', async () => {
    const worker = await silentWorker();
    const client = one({ channelBuffer: 2, maxWaiting: 1 });
    // The connection is being opened: both wait for it, and one is the bound.
    const calls = [1, 2].map(() => client.send(worker.address, {}, BODY));
    expect(await failure(calls[1]!)).toMatchObject({ code: 'ERR_TOO_MANY_IN_FLIGHT', limit: 1 });
    await until('a frame', () => worker.frames.length === 1);
    const second = client.send(worker.address, {}, BODY);
    const third = client.send(worker.address, {}, BODY);
    expect(await failure(client.send(worker.address, {}, BODY))).toMatchObject({ code: 'ERR_TOO_MANY_IN_FLIGHT' });
    await until('two frames', () => worker.frames.length === 2);
    worker.ack();
    worker.ack();
    await Promise.all([calls[0], second]);
    await until('three frames', () => worker.frames.length === 3);
    worker.ack();
    await third;
    expect(worker.sockets.size).toBe(1);
  });

  it.each([
    ['Server overloaded: worker at capacity', 'ERR_WORKER_OVERLOADED'],
    ['Server unavailable: worker pool channel closed', 'ERR_WORKER_UNAVAILABLE'],
    ['Server unavailable: unknown endpoint 1/generate', 'ERR_UNKNOWN_ENDPOINT'],
    ['Unknown endpoint: 1/generate', 'ERR_UNKNOWN_ENDPOINT'],
    ['Invalid endpoint path', 'ERR_REQUEST_REJECTED'],
    ['anything else', 'ERR_REQUEST_REJECTED'],
  ])('are refused by the ack %j with %s', async (ack, code) => {
    const { address } = await listen((socket) => socket.once('data', () => socket.write(encodeAck(ack))));
    expect(await failure(one().send(address, {}, BODY))).toMatchObject({ code, ack });
  });
});

describe('a connection', () => {
  it('that is refused fails the request with ERR_CONNECT_FAILED and its cause', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    expect(await failure(makeClient().send(`127.0.0.1:${port}/x`, {}, BODY))).toMatchObject({ code: 'ERR_CONNECT_FAILED', cause: { code: 'ECONNREFUSED' } });
  });

  it('that never opens fails the request with ERR_CONNECT_TIMEOUT', async () => {

    const dead = { connect: () => new Duplex({ read: () => undefined, write: (_c, _e, done) => done() }), listen: () => Promise.reject(new Error('no')) };
    const client = makeClient({ network: dead, connectTimeoutMs: 20 });
    expect(await failure(client.send('127.0.0.1:9/x', {}, BODY))).toMatchObject({ code: 'ERR_CONNECT_TIMEOUT', timeoutMs: 20 });
  });

  it('is refused for an address that is none, before anything is opened', async () => {
    expect(await failure(makeClient().send('localhost:80/x', {}, BODY))).toMatchObject({ code: 'ERR_ADDRESS_INVALID' });
  });

  it('falls away when its host has been idle', async () => {
    const worker = await silentWorker();
    const client = one({ hostIdleMs: 40 });
    const call = client.send(worker.address, {}, BODY);
    await until('a frame', () => worker.frames.length === 1);
    worker.ack();
    await call;
    expect(worker.sockets.size).toBe(1);
    await until('the connection is closed', () => worker.sockets.size === 0);
  });

  it('is opened ahead by warm()', async () => {
    const worker = await silentWorker();
    makeClient().warm(worker.address);
    await until('a connection', () => worker.sockets.size === 1);
  });

  it('is shared until it is full, and joined by others then', async () => {
    const sockets = new Set<Socket>();
    const { address } = await listen((socket) => {
      sockets.add(socket);
      const decoder = new RequestFrameDecoder();
      socket.on('data', (chunk: Buffer) => {
        decoder.push(chunk);
        while (decoder.next() !== undefined) socket.write(ACCEPT);
      });
    });
    const client = makeClient({ poolSize: 4 });
    await Promise.all(Array.from({ length: 500 }, () => client.send(address, {}, BODY)));
    expect(sockets.size).toBe(4);
    await Promise.all(Array.from({ length: 20 }, () => client.send(address, {}, BODY)));
    expect(sockets.size).toBe(4);
  });
});

describe('close()', () => {
  it('fails what is in flight with ERR_CLIENT_CLOSED, and what comes later too', async () => {
    const worker = await silentWorker();
    const client = one();
    const call = failure(client.send(worker.address, {}, BODY));
    await until('a frame', () => worker.frames.length === 1);
    await client.close();
    expect(await call).toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
    expect(await failure(client.send(worker.address, {}, BODY))).toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
    expect(await failure(client.openStream(worker.address, 1))).toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
    await until('no socket', () => worker.sockets.size === 0);
  });
});

it('a connection whose oldest request was given up gets no further one where another can be opened', async () => {
  let connections = 0;
  const { address } = await listen((socket) => {
    const answers = (connections += 1) > 1;
    socket.on('data', () => answers && socket.write(ACCEPT));
  });
  const client = makeClient({ poolSize: 2 });
  expect(await failure(client.send(address, {}, BODY, { timeoutMs: 30 }))).toMatchObject({ code: 'ERR_ACK_TIMEOUT' });
  await expect(client.send(address, {}, BODY)).resolves.toBeUndefined();
  expect(connections).toBe(2);
});

describe('a connection that ends', () => {
  it('takes no further request once it is destroyed: the next one gets a new connection', async () => {
    const worker = await silentWorker();
    const { network, dialled: sockets } = watchedNetwork();
    const client = makeClient({ network, poolSize: 2 });
    const first = client.send(worker.address, {}, BODY);
    await until('a frame', () => worker.frames.length === 1);
    worker.ack();
    await first;
    sockets[0]!.destroy();
    const second = client.send(worker.address, {}, BODY);
    await until('a second frame', () => worker.frames.length === 2);
    worker.ack();
    await expect(second).resolves.toBeUndefined();
  });

  it('takes no further request once the worker has sent FIN', async () => {
    const worker = await silentWorker();
    const { network, dialled: sockets } = watchedNetwork();
    const client = makeClient({ network, poolSize: 2 });
    const first = client.send(worker.address, {}, BODY);
    await until('a frame', () => worker.frames.length === 1);
    worker.ack();
    await first;
    const second = once(sockets[0]!, 'end').then(() => client.send(worker.address, {}, BODY));
    for (const socket of worker.sockets) socket.end();
    await until('a second frame', () => worker.frames.length === 2);
    worker.ack();
    await expect(second).resolves.toBeUndefined();
  });

  it('by an ack over its limit fails the request of that ack and those behind it with ERR_WORKER_PROTOCOL at once', async () => {
    const worker = await silentWorker();
    const client = one({ maxMessageSize: 1000, requestTimeoutMs: 60_000 });
    const [own, behind] = [failure(client.send(worker.address, {}, BODY)), failure(client.send(worker.address, {}, BODY))];
    await until('two frames', () => worker.frames.length === 2);
    worker.ack('x'.repeat(2000));
    for (const error of await Promise.all([own, behind])) expect(error).toMatchObject({ code: 'ERR_WORKER_PROTOCOL', limit: 1000 });
  });

  it('is not opened again and again while the worker refuses, beside a connection that has stalled', async () => {
    const worker = await silentWorker();
    const { network, dialled: sockets } = watchedNetwork();
    const client = makeClient({ network, poolSize: 4 });
    expect(await failure(client.send(worker.address, {}, BODY, { timeoutMs: 200 }))).toMatchObject({ code: 'ERR_ACK_TIMEOUT' });
    worker.server.close();
    expect(await failure(client.send(worker.address, {}, BODY, { timeoutMs: 1000 }))).toMatchObject({ code: 'ERR_ACK_TIMEOUT' });
    expect(sockets.length).toBeLessThan(20);
  });

  it('is opened again after the pause: a request waits for a worker that refused a moment ago and listens now', async () => {
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const { network, dialled: sockets } = watchedNetwork();
    const client = makeClient({ network });
    for (let i = 0; i < 3; i += 1) expect(await failure(client.send(`127.0.0.1:${port}/x`, {}, BODY))).toMatchObject({ code: 'ERR_CONNECT_FAILED' });
    const back = createServer((socket) => socket.on('error', () => undefined).once('data', () => socket.write(ACCEPT))).listen(port, '127.0.0.1');
    await once(back, 'listening');
    await expect(client.send(`127.0.0.1:${port}/x`, {}, BODY)).resolves.toBeUndefined();
    expect(sockets).toHaveLength(4);
    await client.close();
    await new Promise((resolve) => back.close(resolve));
  });
});
