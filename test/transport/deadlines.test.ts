import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { encodeRequestFrame, FileDiscovery, natsDispatch, NatsRequestPlaneClient, RequestPlaneClient, RequestPlaneServer, tcpNetwork, type NatsConnection, type RequestPlaneClientOptions, type RequestPlaneServerOptions } from 'dynamo-tracing/transport';
import { readClientOptions, readServerOptions } from '../../src/transport/settings';
import { until } from '../support/until';
import { ACCEPT, afterTest, cleanUp, dialHome, failure, itemFrame, makeClient, PROLOGUE, rawWorker, serve } from './support';

afterEach(cleanUp);

/** Keeps the event loop busy, as a long computation does. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

describe('a process that was busy for longer than a deadline', () => {
  it('reads the item that came meanwhile, and does not take its own lateness for the worker\'s (inactivity timeout)', async () => {
    let write!: (bytes: Buffer) => void;
    const { address } = await rawWorker((_frame, socket, control) => {
      socket.write(ACCEPT);
      void dialHome(control).then((home) => {
        write = (bytes) => void home.write(bytes);
        write(PROLOGUE);
      });
    });
    const stream = await makeClient().openStream(address, 1, { inactivityTimeoutMs: 50 });
    const next = stream.next();
    write(itemFrame('in time'));
    block(120);
    await expect(next).resolves.toEqual({ done: false, value: 'in time' });
    stream.cancel();
  });

  it.each<[string, RequestPlaneClientOptions, boolean]>([
    ['ack', { requestTimeoutMs: 50 }, true],
    ['prologue', { prologueTimeoutMs: 50 }, false],
  ])('reads the %s that came meanwhile', async (_which, options, blocksAtAck) => {
    const { address } = await rawWorker((_frame, socket, control) => {
      socket.write(ACCEPT);
      if (blocksAtAck) block(120);
      void dialHome(control).then((home) => {
        home.write(PROLOGUE);
        home.write(itemFrame('in time'));
        if (!blocksAtAck) block(120);
      });
    });
    const stream = await makeClient(options).openStream(address, 1);
    await expect(stream.next()).resolves.toEqual({ done: false, value: 'in time' });
    stream.cancel();
  });

  const rest = (path: string) => Buffer.concat(encodeRequestFrame(path, {}, [Buffer.from('x')]).chunks);
  it.each<[string, RequestPlaneServerOptions, number]>([
    ['frame', { frameTimeoutMs: 500 }, 3],
    ['idle', { idleTimeoutMs: 500 }, 0],
  ])('answers the request that came meanwhile (%s timeout)', async (_which, options, early) => {
    const worker = await serve(async function* () { yield 1; }, options);
    const { port } = await worker.server.listen();
    const socket = connect(port, '127.0.0.1');
    afterTest(() => socket.destroy());
    let got = '';
    socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1'))).on('error', () => undefined);
    await once(socket, 'connect');
    const bytes = rest('nobody');
    socket.write(bytes.subarray(0, early));
    // The worker has read what came first (or has the connection) when it answers another one.
    await failure(makeClient().send(worker.address.replace(/\/[^/]*$/, '/nobody'), {}, [Buffer.from('x')]));
    socket.write(bytes.subarray(early));
    block(700);
    await until('the answer', () => got.includes('unknown endpoint nobody'));
  });
});

const TOO_LONG = 2 ** 31;
const durations = (settings: object): string[] => Object.keys(settings).filter((name) => name.endsWith('Ms'));

describe('a duration that no timer can hold', () => {
  const refused = { code: 'ERR_OPTION_INVALID' };

  it.each(durations(readClientOptions({ env: {} })))('is refused as %s of a client', (name) => {
    expect(() => new RequestPlaneClient({ env: {}, [name]: TOO_LONG })).toThrow(expect.objectContaining({ ...refused, path: `requestPlaneClient.${name}` }));
    expect(() => new RequestPlaneClient({ env: {}, [name]: TOO_LONG - 1 })).not.toThrow();
  });

  it.each(durations(readServerOptions({ env: {} })))('is refused as %s of a worker', (name) => {
    expect(() => new RequestPlaneServer({ env: {}, [name]: TOO_LONG })).toThrow(expect.objectContaining({ ...refused, path: `requestPlaneServer.${name}` }));
  });

  it('is refused wherever else a duration is set', () => {
    const connection = {} as NatsConnection;
    expect(() => tcpNetwork({ tls: { handshakeTimeoutMs: TOO_LONG }, env: {} })).toThrow(expect.objectContaining({ ...refused, path: 'tls.handshakeTimeoutMs' }));
    expect(() => tcpNetwork({ env: { DYN_TCP_TLS_HANDSHAKE_TIMEOUT_SECS: '2200000' } })).toThrow(expect.objectContaining({ code: 'ERR_ENV_INVALID' }));
    expect(() => new FileDiscovery({ ttlMs: TOO_LONG })).toThrow(expect.objectContaining({ ...refused, path: 'fileDiscovery.ttlMs' }));
    expect(() => new FileDiscovery({ rescanMs: TOO_LONG })).toThrow(expect.objectContaining({ ...refused, path: 'fileDiscovery.rescanMs' }));
    expect(() => natsDispatch(connection, { requestTimeoutMs: TOO_LONG })).toThrow(expect.objectContaining({ ...refused, path: 'natsDispatch.requestTimeoutMs' }));
    expect(() => new NatsRequestPlaneClient(connection, { env: {}, requestTimeoutMs: TOO_LONG })).toThrow(expect.objectContaining(refused));
  });

  it.each([TOO_LONG, -1, Number.NaN, 1.5, '5' as never])('is refused with one call: %p', async (duration) => {
    const worker = await serve(async function* () { yield 1; });
    const client = makeClient();
    for (const name of ['requestTimeoutMs', 'prologueTimeoutMs', 'inactivityTimeoutMs']) {
      expect(await failure(client.openStream(worker.address, 1, { [name]: duration }))).toMatchObject(refused);
    }
    expect(await failure(client.send(worker.address, {}, [], { timeoutMs: duration }))).toMatchObject({ ...refused, path: 'timeoutMs' });
    expect(await failure(natsDispatch({} as NatsConnection).send('subject', {}, [], { timeoutMs: duration }))).toMatchObject(refused);
    expect(() => worker.server.close({ graceMs: duration })).toThrow(expect.objectContaining({ ...refused, path: 'graceMs' }));
    const discovery = new FileDiscovery({ logger: false });
    expect(await failure(discovery.waitForInstances('a.b.c', { timeoutMs: duration }))).toMatchObject(refused);
    await discovery.close();
    expect(worker.inFlight).toBe(0);
  });
});
