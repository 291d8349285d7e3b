import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { AckDecoder, encodeControlMessage, encodeRequestFrame, encodeTwoPart, RequestPlaneServer, type ControlMessage } from 'dynamo-tracing/transport';
import { RecordTap } from '../support/records';
import { until } from '../support/until';
import { afterTest, cleanUp, collect, failure, FrameTap, listen, makeClient, serve, type TestWorker } from './support';

afterEach(cleanUp);

async function dial(worker: TestWorker): Promise<{ socket: Socket; acks: string[] }> {
  const [, host, port] = /^tcp:\/\/([^:]+):(\d+)\//.exec(worker.address)!;
  const socket = connect(Number(port), host);
  socket.on('error', () => undefined);
  afterTest(() => socket.destroy());
  const acks: string[] = [];
  const decoder = new AckDecoder();
  socket.on('data', (chunk: Buffer) => {
    decoder.push(chunk);
    for (let ack = decoder.next(); ack !== undefined && ack.kind !== 'refused'; ack = decoder.next()) acks.push(ack.text);
  });
  await once(socket, 'connect');
  return { socket, acks };
}

const frame = (path: string, ...parts: Uint8Array[]) => Buffer.concat(encodeRequestFrame(path, { 'request-id': 'r1' }, parts).chunks);
const echo = async function* (request: unknown) { yield request; };

/** Somebody for the worker to call, with the control message that says so. */
async function caller(): Promise<{ control: ControlMessage; calls: FrameTap[] }> {
  const calls: FrameTap[] = [];
  const { port } = await listen((socket) => calls.push(new FrameTap(socket)));
  const connectionInfo = { host: '127.0.0.1', port, subject: 's1', context: 'r1', streamType: 'response' as const };
  return { control: { id: 'r1', requestType: 'single_in', responseType: 'many_out', payloadCodec: 'json', connectionInfo, metadata: {} }, calls };
}

const envelope = (control: Uint8Array, body: Uint8Array = Buffer.from('1')) => Buffer.concat(encodeTwoPart(control, body));

describe('acks', () => {
  it('come in order of the requests, whatever they say', async () => {
    const worker = await serve(echo);
    const { control } = await caller();
    const { socket, acks } = await dial(worker);
    const good = frame(worker.path, envelope(encodeControlMessage(control)));
    const invalidPath = Buffer.from([0, 1, 0xff, 0, 0, 0, 0, 0, 0]);
    socket.write(Buffer.concat([good, frame('2a/nobody', Buffer.from('x')), good, invalidPath, good]));
    await until('five acks', () => acks.length === 5);
    expect(acks).toEqual(['', 'Server unavailable: unknown endpoint 2a/nobody', '', 'Invalid endpoint path', '']);
  });

  it('tell a caller of an unknown endpoint at once', async () => {
    const worker = await serve(echo);
    worker.remove();
    expect(await failure(collect(makeClient().generate(worker.address, 1)))).toMatchObject({ code: 'ERR_UNKNOWN_ENDPOINT' });
  });

  it('refuse a frame over the limit and close the connection', async () => {
    const worker = await serve(echo, { maxMessageSize: 1000 });
    const { socket, acks } = await dial(worker);
    socket.write(frame(worker.path, Buffer.alloc(2000)));
    await once(socket, 'end');
    expect(acks).toEqual([expect.stringMatching(/^Read error: message too large: \d+ bytes \(max: 1000 bytes\)$/)]);
  });

  it('say overload when pool and queue are full, and the rest is served', async () => {
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const worker = await serve(async function* (n: unknown) { await gate; yield n; }, { workerPoolSize: 1, workQueueSize: 1 });
    const client = makeClient({ poolSize: 1 });
    const calls = [1, 2, 3].map((n) => collect(client.generate(worker.address, n)));
    expect(await failure(calls[2]!)).toMatchObject({ code: 'ERR_WORKER_OVERLOADED', ack: 'Server overloaded: worker at capacity' });
    expect(worker.inFlight).toBe(2);
    release();
    await expect(Promise.all(calls.slice(0, 2))).resolves.toEqual([[1], [2]]);
    await until('nothing in flight', () => worker.inFlight === 0);
  });
});

describe('a request that cannot be served', () => {
  const CASES: readonly (readonly [string, (control: ControlMessage) => Uint8Array, RegExp, boolean])[] = [
    ['no envelope', () => Buffer.from('x'), /cut short/, false],
    ['no control message', () => Buffer.concat(encodeTwoPart(undefined, Buffer.from('1'))), /no control message/, false],
    ['a control message that is not JSON', () => envelope(Buffer.from('{')), /not JSON/, false],
    ['no connection info', () => envelope(Buffer.from('{"id":"r1","request_type":"single_in","response_type":"many_out"}')), /connection_info/, false],
    ['an unknown response plane', (control) => envelope(Buffer.from(encodeControlMessage(control).toString().replace('tcp_server', 'quic'))), /transport/, false],
    ['no body', (control) => Buffer.concat(encodeTwoPart(encodeControlMessage(control))), /no body/, true],
    ['an unknown codec', (control) => envelope(Buffer.from(encodeControlMessage(control).toString().replace('"json"', '"cbor"'))), /payload_codec/, true],
    ['a stream of inputs', (control) => envelope(encodeControlMessage({ ...control, requestType: 'many_in', requestStreamConnectionInfo: { ...control.connectionInfo, streamType: 'request' } })), /many_in/, true],
  ];

  it.each(CASES)('because of %s is answered at once', async (_what, make, problem, reachable) => {
    const tap = new RecordTap();
    afterTest(() => tap.stop());
    const worker = await serve(echo);
    const { control, calls } = await caller();
    const { socket, acks } = await dial(worker);
    socket.write(frame(worker.path, make(control)));
    await until('an ack', () => acks.length === 1);
    expect(acks[0]).toMatch(reachable ? /^Invalid request: / : /^Server unavailable: invalid request: /);
    expect(acks[0]).toMatch(problem);
    if (reachable) {
      await until('a call home', () => calls.length === 1);
      expect(JSON.parse((await calls[0]!.next())!)).toEqual({ subject: 's1', stream_type: 'response' });
      expect(JSON.parse((await calls[0]!.next())!)).toMatchObject({ error: expect.stringMatching(problem), typed_error: { error_type: 'InvalidArgument' } });
    }
    expect(await tap.next('request completed')).toMatchObject({ level: 'error', status: 'error', error_type: 'validation', component: 'backend', endpoint: 'generate' });
    expect(tap.of('request completed')).toHaveLength(1);
  });

  it('because of its body says so in the prologue', async () => {
    const worker = await serve(echo);
    const { control, calls } = await caller();
    const { socket, acks } = await dial(worker);
    socket.write(frame(worker.path, envelope(encodeControlMessage(control), Buffer.from('{'))));
    await until('a call home', () => calls.length === 1);
    expect(acks).toEqual(['']);
    await calls[0]!.next();
    expect(JSON.parse((await calls[0]!.next())!)).toMatchObject({ error: expect.stringContaining('the request body cannot be read') });
  });

  it('is served without its headers when they are malformed, with a warning', async () => {
    const tap = new RecordTap();
    afterTest(() => tap.stop());
    const worker = await serve(echo);
    const { control, calls } = await caller();
    const { socket, acks } = await dial(worker);
    const bytes = frame(worker.path, envelope(encodeControlMessage(control)));
    bytes.write('[', bytes.indexOf('{'));
    socket.write(bytes);
    await until('an ack', () => acks.length === 1);
    expect(acks).toEqual(['']);
    await until('a call home', () => calls.length === 1);
    expect(await tap.next('malformed request headers: the request goes on without them')).toMatchObject({ level: 'warn' });
    await tap.next('request completed');
    expect(tap.of('request received')[0]!.scope).toMatchObject({ requestId: 'r1' });
  });
});

describe('hostile connections', () => {
  it('that trickle a frame are closed at the deadline', async () => {
    const worker = await serve(echo, { frameTimeoutMs: 30 });
    const { socket } = await dial(worker);
    socket.write(Buffer.from([0, 4, 0x61]));
    await once(socket, 'close');
  });

  it('that stay silent are closed after the idle timeout', async () => {
    const worker = await serve(echo, { idleTimeoutMs: 30 });
    const { socket } = await dial(worker);
    await once(socket, 'close');
  });

  it('beyond the bound are closed at once, the others are served', async () => {
    const worker = await serve(echo, { maxConnections: 1 });
    const client = makeClient({ poolSize: 1 });
    await expect(collect(client.generate(worker.address, 1))).resolves.toEqual([1]);
    const { socket } = await dial(worker);
    await once(socket, 'close');
    await expect(collect(client.generate(worker.address, 2))).resolves.toEqual([2]);
  });

  it('that end in the middle of a frame are closed without an answer', async () => {
    const worker = await serve(echo);
    const { socket, acks } = await dial(worker);
    socket.end(Buffer.from([0, 4, 0x61]));
    await once(socket, 'close');
    expect(acks).toEqual([]);
  });
});

describe('endpoints', () => {
  it('of one name on one server get paths of their own', async () => {
    const server = new RequestPlaneServer({ host: '127.0.0.1', env: {}, logger: false, instanceId: 42n });
    afterTest(() => server.close());
    const first = server.endpoint('ns.prefill.generate', echo);
    const second = server.endpoint('dyn://ns.decode.generate', async function* () { yield 'decoded'; });
    const opaque = server.endpoint('ns.decode.generate', echo, { path: 'any/thing at all' });
    expect(first.path).toBe('2a/generate');
    expect(second.path).toMatch(/^[0-9a-f]+\/generate$/);
    expect(second.path).not.toBe(first.path);
    expect(opaque.path).toBe('any/thing at all');
    expect(() => first.address).toThrow(expect.objectContaining({ code: 'ERR_CLIENT_CLOSED' }));
    const { host, port } = await server.listen();
    expect(first.address).toBe(`tcp://${host}:${port}/2a/generate`);
    const client = makeClient();
    await expect(collect(client.generate(first.address, 'p'))).resolves.toEqual(['p']);
    await expect(collect(client.generate(second.address, 'd'))).resolves.toEqual(['decoded']);
    await expect(collect(client.generate(opaque.address, 'o'))).resolves.toEqual(['o']);
    expect(() => server.endpoint('ns.decode.generate', echo, { path: '2a/generate' })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
    expect(() => server.endpoint('generate', echo)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  });
});

describe('close()', () => {
  it('lets requests in flight go on and answers new ones as unavailable', async () => {
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const worker = await serve(async function* () { yield 1; await gate; yield 2; });
    const client = makeClient({ poolSize: 1 });
    const stream = client.generate(worker.address, 0);
    await expect(stream.next()).resolves.toEqual({ done: false, value: 1 });
    const closed = worker.server.close();
    expect(await failure(collect(client.generate(worker.address, 0)))).toMatchObject({ code: 'ERR_WORKER_UNAVAILABLE' });
    release();
    await expect(collect(stream)).resolves.toEqual([2]);
    await closed;
  });

  it('called again with a shorter grace ends the first one sooner, and with a longer one does not', async () => {
    const worker = await serve(async function* (name: string, { signal }) {
      yield name;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    });
    const running = makeClient().generate(worker.address, 'running');
    await running.next();
    const closed = worker.server.close({ graceMs: 600_000 });
    expect(worker.server.close()).toBe(closed);
    expect(worker.server.close({ graceMs: 0 })).toBe(closed);
    expect(worker.server.close({ graceMs: 600_000 })).toBe(closed);
    await closed;
    expect(await failure(collect(running))).toMatchObject({ code: 'ERR_STREAM_INCOMPLETE' });
    void worker.server.close({ graceMs: 600_000 }); // leaves no timer behind
  });

  it('kills what is left after the grace period and tells those that are queued', async () => {
    const aborted: string[] = [];
    const worker = await serve(async function* (name: string, context) {
      yield name;
      await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()));
      aborted.push(name);
    }, { workerPoolSize: 1 });
    const client = makeClient({ poolSize: 1 });
    const running = client.generate(worker.address, 'running');
    await running.next();
    const queued = failure(client.openStream(worker.address, 'queued'));
    await until('both are in flight', () => worker.inFlight === 2);
    await worker.server.close({ graceMs: 10 });
    expect(await failure(collect(running))).toMatchObject({ code: 'ERR_STREAM_INCOMPLETE' });
    expect(await queued).toMatchObject({ code: 'ERR_GENERATE_FAILED', errorType: 'engine_shutdown' });
    await until('the handler was told', () => aborted.length === 1);
  });
});
