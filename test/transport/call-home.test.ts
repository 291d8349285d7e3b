import { connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from '@jest/globals';
import { encodeControlMessage, encodeTwoPart, Router, tcpNetwork, type Network } from 'dynamo-tracing/transport';
import { RecordTap } from '../support/records';
import { until } from '../support/until';
import { afterTest, cleanUp, collect, failure, FrameTap, listen, makeClient, serve } from './support';

afterEach(cleanUp);

function control(port: number, host = '127.0.0.1'): Buffer {
  return encodeControlMessage({ id: 'r', requestType: 'single_in', responseType: 'many_out', payloadCodec: 'json', metadata: {}, connectionInfo: { host, port, subject: 's', context: 'r', streamType: 'response' } });
}
const withoutBody = (port: number): Uint8Array[] => encodeTwoPart(control(port));
const withBody = (port: number, host?: string): Uint8Array[] => encodeTwoPart(control(port, host), Buffer.from('1'));

const echo = async function* (request: unknown) { yield request; };
const forever = new Promise<never>(() => undefined);

describe('refusals at home', () => {
  it('take their turn in the pool: 800 of them never open more sockets than it has places, and close() waits for all', async () => {
    let open = 0;
    let most = 0;
    let calls = 0;
    const { port } = await listen((socket) => {
      calls += 1;
      most = Math.max(most, (open += 1));
      socket.on('close', () => (open -= 1)).once('data', () => socket.end());
    });
    const worker = await serve(echo, { workerPoolSize: 5 });
    const client = makeClient();
    const sent = Array.from({ length: 800 }, () => failure(client.send(worker.address, {}, withoutBody(port))));
    for (const error of await Promise.all(sent)) expect(error).toMatchObject({ code: 'ERR_REQUEST_REJECTED', ack: 'Invalid request: there is no body' });
    await worker.server.close({ graceMs: 60_000 });
    expect(calls).toBe(800);
    expect(most).toBeLessThanOrEqual(5);
    expect(worker.server.payloads.inFlight).toBe(0);
  });

  it('beyond pool and queue are refused by the ack alone', async () => {
    const { port } = await listen((socket) => socket.resume());
    const worker = await serve(echo, { workerPoolSize: 1, workQueueSize: 1 });
    const client = makeClient({ poolSize: 1 });
    const codes = await Promise.all([1, 2, 3].map(() => failure(client.send(worker.address, {}, withoutBody(port)))));
    expect(codes.map(({ code }) => code)).toEqual(['ERR_REQUEST_REJECTED', 'ERR_REQUEST_REJECTED', 'ERR_WORKER_OVERLOADED']);
  });
});

describe('a worker that calls home', () => {
  /** Real sockets, but nobody ever answers on 127.0.0.2. */
  function deadHost(): Network & { dials: number; most: number; release: () => void } {
    const real = tcpNetwork({ env: {} });
    const dead: Duplex[] = [];
    return {
      dials: 0,
      most: 0,
      release: () => dead.forEach((socket) => socket.destroy()),
      listen: (...args) => real.listen(...args),
      connect(target) {
        if (target.host !== '127.0.0.2') return real.connect(target);
        this.dials += 1;
        dead.push(new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() }));
        this.most = Math.max(this.most, dead.filter((socket) => !socket.destroyed).length);
        return dead.at(-1)!;
      },
    };
  }

  it('opens a bounded number of connections to one host at one time, and serves the callers of others', async () => {
    const network = deadHost();
    const worker = await serve(echo, { network, callHomeConnectLimit: 4 });
    const client = makeClient();
    for (let i = 0; i < 20; i += 1) await client.send(worker.address, {}, withBody(9, '127.0.0.2'));
    await expect(collect(client.generate(worker.address, 'served'))).resolves.toEqual(['served']);
    expect(network.dials).toBe(4);
    network.release();
    await until('the next four', () => network.dials === 8);
  });

  it('counts the wait for a place as time to connect: none is left when that is up', async () => {
    const network = deadHost();
    const worker = await serve(echo, { network, callHomeConnectLimit: 4, connectTimeoutMs: 50 });
    const client = makeClient();
    for (let i = 0; i < 20; i += 1) await client.send(worker.address, {}, withBody(9, '127.0.0.2'));
    await until('all given up', () => worker.server.payloads.inFlight === 0);
    expect(network.most).toBe(4);
  });

  it('tries again when the system lacks a local address (EADDRNOTAVAIL)', async () => {
    const real = tcpNetwork({ env: {} });
    let dials = 0;
    const network: Network = {
      listen: (...args) => real.listen(...args),
      connect: (target) => ((dials += 1) > 2 ? real.connect(target) : connect({ ...target, localAddress: '203.0.113.1' })),
    };
    const worker = await serve(echo, { network });
    await expect(collect(makeClient().generate(worker.address, 1))).resolves.toEqual([1]);
    expect(dials).toBe(3);
  });

  it('on a connection that breaks in the moment it opens lets the request go', async () => {
    const real = tcpNetwork({ env: {} });
    const network: Network = {
      listen: (...args) => real.listen(...args),
      connect: () => {
        const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
        process.nextTick(() => {
          socket.emit('connect');
          socket.destroy();
        });
        return socket;
      },
    };
    const worker = await serve(echo, { network });
    const client = makeClient();
    await client.send(worker.address, {}, withBody(9));
    expect(await failure(client.send(worker.address, {}, withoutBody(9)))).toMatchObject({ code: 'ERR_REQUEST_REJECTED' });
    await until('nothing is left', () => worker.server.payloads.inFlight === 0);
  });

  it('and is closed meanwhile lets go of the attempt', async () => {
    const network = deadHost();
    const worker = await serve(echo, { network, connectTimeoutMs: 60_000 });
    await makeClient().send(worker.address, {}, withBody(9, '127.0.0.2'));
    await until('a dial', () => network.dials === 1);
    await worker.server.close({ graceMs: 0 });
    expect(worker.server.payloads.inFlight).toBe(0);
  });
});

describe('callHomeHosts', () => {
  it.each<[string, readonly string[] | ((host: string) => boolean)]>([
    ['an address', ['10.1.2.3', '127.0.0.1']],
    ['a network', ['127.0.0.0/8']],
    ['a function', (host) => host === '127.0.0.1'],
  ])('calls callers that are in it: %s', async (_what, callHomeHosts) => {
    const worker = await serve(echo, { callHomeHosts });
    await expect(collect(makeClient().generate(worker.address, 1))).resolves.toEqual([1]);
  });

  it.each<[string, readonly string[] | ((host: string) => boolean)]>([
    ['an address', ['127.0.0.2']],
    ['a network', ['10.0.0.0/8', 'fd00::/8']],
    ['nothing', []],
    ['a function', () => false],
    ['a function that throws', () => { throw new Error('no idea'); }],
    ['a function whose answer is not true', () => 'yes' as never],
  ])('refuses callers that are not, by the ack alone, with a record: %s', async (_what, callHomeHosts) => {
    const tap = new RecordTap();
    afterTest(() => tap.stop());
    const calls: Socket[] = [];
    const { port } = await listen((socket) => calls.push(socket));
    const worker = await serve(echo, { callHomeHosts });
    const client = makeClient();
    for (const payload of [withBody(port), withoutBody(port)]) {
      expect(await failure(client.send(worker.address, {}, payload))).toMatchObject({ code: 'ERR_WORKER_UNAVAILABLE', ack: 'Server unavailable: invalid request: callers at 127.0.0.1 are not called' });
    }
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'validation' });
    await worker.server.close();
    expect(calls).toEqual([]);
  });

  it('knows an IPv4 address in IPv6 clothes', async () => {
    const worker = await serve(echo, { callHomeHosts: ['127.0.0.0/8'] });
    const homes: FrameTap[] = [];
    const { port } = await listen((socket) => homes.push(new FrameTap(socket)));
    await makeClient().send(worker.address, {}, withBody(port, '::ffff:127.0.0.1'));
    await until('a call', () => homes.length === 1);
  });

  it.each([['localhost'], ['10.0.0.0/33'], ['::/129'], ['10.0.0.0/'], [7]])('refuses %j at start-up', async (entry) => {
    await expect(serve(echo, { callHomeHosts: [entry] as never })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path: 'requestPlaneServer.callHomeHosts' });
  });
});

describe('a worker that shuts down', () => {
  it('answers a request in its queue with engine_shutdown, and a router takes it to another worker', async () => {
    const busy = await serve(async function* () { yield 'busy'; await forever; }, { workerPoolSize: 1 });
    const spare = await serve(async function* () { yield 'spare'; });
    const client = makeClient({ poolSize: 1 });
    const running = client.generate(busy.address, 0);
    await running.next();
    const direct = failure(client.openStream(busy.address, 1));
    const routed = new Router({ client, addresses: [busy.address, spare.address], logger: false, env: {} });
    const answer = collect(routed.generate(1));
    await until('both are queued', () => busy.inFlight === 3);
    await busy.server.close({ graceMs: 0 });
    expect(await direct).toMatchObject({ code: 'ERR_GENERATE_FAILED', errorType: 'engine_shutdown' });
    await expect(answer).resolves.toEqual(['spare']);
  });
});

describe('a handler that fails', () => {
  class PromptError extends Error {
    override readonly name = 'PromptError';
    readonly code = 'E_PROMPT';
  }
  const cases: readonly [string, () => AsyncGenerator][] = [
    ['in its stream', async function* () { yield 1; throw new PromptError('the secret prompt'); }],
    ['before its stream', () => { throw new PromptError('the secret prompt'); }],
  ];

  it.each(cases)('%s is in the `request failed` record by name, code and frames, without what it says', async (_when, handler) => {
    const tap = new RecordTap();
    afterTest(() => tap.stop());
    const worker = await serve(handler);
    await failure(collect(makeClient().generate(worker.address, 1)));
    const record = await tap.next('request failed');
    expect(record).toMatchObject({ level: 'error', error_name: 'PromptError', error_code: 'E_PROMPT', error_stack: expect.stringContaining('call-home.test'), component: 'backend' });
    await tap.next('request completed');
    expect(JSON.stringify(tap.entries)).not.toContain('secret prompt');
    expect(tap.of('request failed')).toHaveLength(1);
  });

  it.each(cases)('%s is there with what it says when errorMessages is set', async (_when, handler) => {
    const tap = new RecordTap();
    afterTest(() => tap.stop());
    const worker = await serve(handler, { errorMessages: true });
    await failure(collect(makeClient().generate(worker.address, 1)));
    expect(await tap.next('request failed')).toMatchObject({ error_name: 'PromptError', error_message: 'the secret prompt' });
  });
});

it('a worker that shuts down while many wait tells each of them, and kills those that run', async () => {
  const killed: unknown[] = [];
  const worker = await serve(async function* (_request, context) {
    context.signal.addEventListener('abort', () => killed.push(context.requestId));
    yield 1;
    await forever;
  }, { workerPoolSize: 2 });
  const client = makeClient();
  const all = Array.from({ length: 300 }, (_, n) => failure(collect(client.generate(worker.address, n))));
  await until('all are in flight', () => worker.inFlight === 300);
  await worker.server.close({ graceMs: 0 });
  const codes = (await Promise.all(all)).map(({ code }) => code);
  expect(codes.filter((code) => code === 'ERR_GENERATE_FAILED')).toHaveLength(298);
  expect(codes.filter((code) => code === 'ERR_STREAM_INCOMPLETE')).toHaveLength(2);
  await until('both handlers were told', () => killed.length === 2);
});
