import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { DynamoTracingError, type ErrorCode } from '../../../src/errors/index.js';
import type { Instance } from '../../../src/transport/discovery/index.js';
import { Router, type RoutedStream, type RouterOptions } from 'dynamo-tracing/transport';
import { BEGUN, killed, ScriptedClient, type Script } from './scripted-client.js';
import { recordSpans } from './spans.js';

const recorded = recordSpans();
const REQUEST_ID = '0f8fad5b-d9cd-469f-a165-70867728950e';
const A = '127.0.0.1:1/a/generate';
const B = '127.0.0.1:2/b/generate';
const C = '127.0.0.1:3/c/generate';

function yields(...items: unknown[]): Script {
  return async function * () {
    yield BEGUN;
    yield * items;
  };
}

/** Fails at a stage: before the stream, before its first item, after it. */
function fails(stage: 'opening' | 'first' | 'later', code: ErrorCode, facts = {}): Script {
  return async function * () {
    const error = new DynamoTracingError(code, `scripted ${code}`, facts);
    if (stage === 'opening') throw error;
    yield BEGUN;
    if (stage === 'later') yield 'first';
    throw error;
  };
}

function waits(...items: unknown[]): Script {
  return async function * (call) {
    yield BEGUN;
    yield * items;
    await killed(call);
  };
}

function router(scripts: Record<string, Script>, options: Partial<RouterOptions> = {}): { router: Router; client: ScriptedClient } {
  const client = new ScriptedClient(scripts);
  return { client, router: new Router({ client, addresses: Object.keys(scripts), logger: false, ...options }) };
}

async function collect(stream: RoutedStream): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

const outcomes = (): unknown[] => recorded.spans().map(({ attributes }) => attributes['request.outcome']);

describe('choosing a worker', () => {
  it('goes round', async () => {
    const { router: r, client } = router({ [A]: yields(1), [B]: yields(2), [C]: yields(3) });
    for (let request = 0; request < 7; request += 1) await collect(r.generate({}));
    expect(client.calls.map(({ address }) => address)).toEqual([A, B, C, A, B, C, A]);
  });

  it('at random reaches every worker', async () => {
    const { router: r, client } = router({ [A]: yields(1), [B]: yields(2), [C]: yields(3) }, { mode: 'random' });
    for (let request = 0; request < 200; request += 1) await collect(r.generate({}));
    for (const address of [A, B, C]) expect(client.calls.filter((call) => call.address === address).length).toBeGreaterThan(30);
  });

  it('directly takes the worker of that id, in any mode', async () => {
    const { router: r, client } = router({ [A]: yields(1), [B]: yields(2) });
    for (let request = 0; request < 3; request += 1) await collect(r.generate({}, { instanceId: 0xbn }));
    expect(client.calls.map(({ address }) => address)).toEqual([B, B, B]);
    expect(recorded.spans().map(({ attributes }) => attributes['router_mode'])).toEqual(['Direct', 'Direct', 'Direct']);
  });

  it('directly without an id is refused, and of an unknown id finds no worker', async () => {
    const { router: r } = router({ [A]: yields(1) }, { mode: 'direct' });
    expect(() => r.generate({})).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'generate.instanceId' }));
    await expect(r.generate({}, { instanceId: 5n }).next()).rejects.toMatchObject({ code: 'ERR_NO_WORKERS', instanceId: 5n });
    expect(recorded.spans()).toEqual([]);
  });

  it('of none is ERR_NO_WORKERS at once, and no attempt', async () => {
    const { router: r } = router({});
    const stream = r.generate({});
    await expect(stream.next()).rejects.toMatchObject({ code: 'ERR_NO_WORKERS' });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(await stream.ended).toMatchObject({ outcome: 'error', error: { code: 'ERR_NO_WORKERS' } });
    expect(stream.worker).toBeUndefined();
    expect(recorded.spans()).toEqual([]);
  });

  it('takes workers as discovery has them, over the plane and with the codec they name, and sees them come and go', async () => {
    const instance = (id: bigint, transport: Instance['transport'], codec: Instance['codec']): Instance => ({ namespace: 'd', component: 'b', endpoint: 'g', instanceId: id, transport, codec });
    const list = { instances: [] as Instance[], closed: 0, close: () => void (list.closed += 1) };
    const watched: string[] = [];
    const tcp = new ScriptedClient({ [A]: yields('tcp') });
    const nats = new ScriptedClient({ 'd_b.g-2': yields('nats') });
    const r = new Router({ client: tcp, natsClient: nats, discovery: { watch: async (endpoint) => (watched.push(endpoint), list) }, endpoint: 'd.b.g', logger: false });
    expect(watched).toEqual([]);
    await expect(r.generate({}).next()).rejects.toMatchObject({ code: 'ERR_NO_WORKERS', endpoint: 'd.b.g' });
    list.instances = [instance(1n, { tcp: A }, 'json'), instance(2n, { nats_tcp: 'd_b.g-2' }, 'msgpack')];
    expect(await collect(r.generate({}))).toEqual(['tcp']);
    expect(await collect(r.generate({}))).toEqual(['nats']);
    expect([tcp.calls[0]?.options.codec, nats.calls[0]?.options.codec]).toEqual(['json', 'msgpack']);
    list.instances = [instance(2n, { nats_tcp: 'd_b.g-2' }, 'msgpack')];
    expect(await collect(r.generate({}))).toEqual(['nats']);
    expect(await r.workers()).toEqual([{ workerId: 2n, plane: 'nats', address: 'd_b.g-2', codec: 'msgpack' }]);
    await r.close();
    expect([watched, list.closed]).toEqual([['d.b.g'], 1]);
    expect(() => r.generate({})).toThrow(expect.objectContaining({ code: 'ERR_CLIENT_CLOSED' }));
  });

  it('leaves out workers that no client of it reaches', async () => {
    const r = new Router({ client: new ScriptedClient({}), addresses: [{ nats_tcp: 'x' }], logger: false });
    await expect(r.generate({}).next()).rejects.toMatchObject({ code: 'ERR_NO_WORKERS' });
  });

  it('asks discovery again after it failed', async () => {
    let calls = 0;
    const watch = async () => {
      if ((calls += 1) === 1) throw new DynamoTracingError('ERR_DISCOVERY', 'disk');
      return { instances: [], close: () => undefined };
    };
    const r = new Router({ client: new ScriptedClient({}), discovery: { watch }, endpoint: 'a.b.c', logger: false });
    await expect(r.generate({}).next()).rejects.toMatchObject({ code: 'ERR_DISCOVERY' });
    await expect(r.generate({}).next()).rejects.toMatchObject({ code: 'ERR_NO_WORKERS' });
  });

  it.each([
    ['10.0.0.1:80/17216e63492ef21f/generate', 0x17216e63492ef21fn],
    ['tcp://[::1]:80/2a/generate', 42n],
    ['10.0.0.1:80/dynamo.backend.generate/2a', undefined],
    ['10.0.0.1:80', undefined],
    [{ tcp: '10.0.0.1:80/ffffffffffffffff/x' }, 2n ** 64n - 1n],
    [{ nats_tcp: 'dynamo_backend.generate-2a' }, 42n],
    [{ nats_tcp: 'dynamo_backend.generate' }, undefined],
  ] as const)('reads the id of %j', async (address, workerId) => {
    const r = new Router({ client: new ScriptedClient({}), natsClient: new ScriptedClient({}), addresses: [address], codec: 'msgpack' });
    expect(await r.workers()).toMatchObject([{ workerId, codec: 'msgpack' }]);
  });
});

describe('options', () => {
  const client = new ScriptedClient({});
  it.each([
    [undefined, 'router.client'],
    [{ addresses: [] }, 'router.client'],
    [{ client: {}, addresses: [] }, 'router.client'],
    [{ client }, 'router.addresses'],
    [{ client, addresses: [], discovery: { watch: () => undefined }, endpoint: 'a.b.c' }, 'router.addresses'],
    [{ client, discovery: { watch: () => undefined } }, 'router.endpoint'],
    [{ client, discovery: { watch: () => undefined }, endpoint: 'a.b' }, 'router.endpoint'],
    [{ client, addresses: [5] }, 'router.addresses[0]'],
    [{ client, addresses: [A, { http: 'x' }] }, 'router.addresses[1]'],
    [{ client, addresses: [{ tcp: 5 }] }, 'router.addresses[0]'],
    [{ client, addresses: [{ nats_tcp: 5 }] }, 'router.addresses[0]'],
    [{ client, addresses: [], mode: 'kv' }, 'router.mode'],
    [{ client, addresses: [], migrationLimit: -1 }, 'router.migrationLimit'],
    [{ client, addresses: [], migrationLimits: 1 }, 'router.migrationLimits'],
  ])('%j is refused, naming %s', (options, path) => {
    expect(() => new Router(options as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path }));
  });

  it('an address that is none is ERR_ADDRESS_INVALID, a variable that is no number ERR_ENV_INVALID', () => {
    expect(() => new Router({ client, addresses: ['localhost:1/x'] })).toThrow(expect.objectContaining({ code: 'ERR_ADDRESS_INVALID' }));
    expect(() => new Router({ client, addresses: [], env: { DYN_RUNTIME_INHIBITED_DURATION_SECS: 'soon' } })).toThrow(expect.objectContaining({ code: 'ERR_ENV_INVALID', variable: 'DYN_RUNTIME_INHIBITED_DURATION_SECS' }));
  });
});

describe('a request', () => {
  it('is sent when its first item is asked for, with what the caller gave', async () => {
    const { router: r, client } = router({ [A]: yields(1, 2) }, { codec: 'msgpack' });
    const stream = r.generate({ p: 1 }, { metadata: { k: 'v' }, headers: { h: '1' }, inactivityTimeoutMs: 7, prologueTimeoutMs: 8, requestTimeoutMs: 9, requestId: REQUEST_ID });
    await new Promise(setImmediate);
    expect(client.calls).toEqual([]);
    expect([stream.requestId, stream.attempts, stream.workerId]).toEqual([REQUEST_ID, 0, undefined]);
    expect(await collect(stream)).toEqual([1, 2]);
    expect(client.calls).toMatchObject([{ request: { p: 1 }, options: { metadata: { k: 'v' }, headers: { h: '1' }, inactivityTimeoutMs: 7, prologueTimeoutMs: 8, requestTimeoutMs: 9, requestId: REQUEST_ID, codec: 'msgpack' } }]);
    expect([stream.attempts, stream.workerId, await stream.ended]).toEqual([1, 0xan, { outcome: 'complete' }]);
  });

  it('says which worker is asked, at each attempt', async () => {
    const { router: r } = router({ [A]: fails('opening', 'ERR_CONNECT_FAILED'), [B]: yields(1) });
    const heard: unknown[] = [];
    await collect(r.generate({}, { onWorker: ({ workerId }, attempt) => void heard.push([workerId, attempt]) }));
    expect(heard).toEqual([[0xan, 0], [0xbn, 1]]);
  });

  it('survives an onWorker that throws', async () => {
    const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const { router: r } = router({ [A]: yields(1) });
    expect(await collect(r.generate({}, { onWorker: () => { throw new Error('mine'); } }))).toEqual([1]);
    warning.mockRestore();
  });

  it('gives items in order to consumers that ask ahead', async () => {
    const { router: r } = router({ [A]: fails('opening', 'ERR_CONNECT_FAILED'), [B]: yields(1, 2) });
    const stream = r.generate({});
    expect(await Promise.all([stream.next(), stream.next(), stream.next()])).toEqual([{ done: false, value: 1 }, { done: false, value: 2 }, { done: true, value: undefined }]);
  });
});

describe('the span of an attempt', () => {
  it('has every field of a request that went well, and its event', async () => {
    const { router: r } = router({ [A]: yields(1) });
    await collect(r.generate({}, { requestId: REQUEST_ID }));
    const [attempt] = recorded.spans();
    expect(attempt).toMatchObject({
      status: { code: SpanStatusCode.UNSET },
      attributes: {
        request_id: REQUEST_ID, worker_id: '10', router_mode: 'RoundRobin', 'request.attempt': 0, 'request.outcome': 'success',
        'migration.is_retry': false, 'migration.tokens_completed': 0, 'server.address': '127.0.0.1', 'server.port': 1,
      },
      events: [{ name: 'route request completed', attributes: { 'request.outcome': 'success' } }],
      span: { kind: SpanKind.CLIENT },
    });
    expect(Object.keys(attempt!.attributes)).not.toEqual(expect.arrayContaining(['migration.reason']));
    expect(recorded.lines).toMatchObject([{ level: 'debug', message: 'route request completed', fields: { worker_id: '10', 'request.attempt': 0 }, scope: { requestId: REQUEST_ID, spanName: 'router.route_request' } }]);
  });

  it('of a retry names the reason and the worker that failed', async () => {
    const { router: r } = router({ [A]: fails('opening', 'ERR_WORKER_OVERLOADED'), [B]: yields(1) });
    await collect(r.generate({}));
    const [first, second] = recorded.spans();
    expect(first).toMatchObject({
      status: { code: SpanStatusCode.ERROR, message: 'worker_overloaded' },
      attributes: { worker_id: '10', 'request.attempt': 0, 'request.outcome': 'rejected', 'error.type': 'worker_overloaded', 'migration.is_retry': false },
      events: [{ name: 'route request failed', attributes: { 'request.outcome': 'rejected', 'error.type': 'worker_overloaded' } }],
    });
    expect(second).toMatchObject({
      status: { code: SpanStatusCode.UNSET },
      attributes: { worker_id: '11', 'request.attempt': 1, 'request.outcome': 'success', 'migration.is_retry': true, 'migration.reason': 'worker_overloaded', 'migration.from_worker_id': '10', 'migration.tokens_completed': 0 },
    });
    expect(recorded.lines.map(({ level, message }) => [level, message])).toEqual([['warn', 'route request failed'], ['debug', 'route request completed']]);
    expect(first!.span.spanContext().traceId).not.toBe(second!.span.spanContext().traceId);
  });

  it('is a child of the caller\'s context, and what the client sends is a child of it', async () => {
    const parent = trace.getTracer('test').startSpan('http-request');
    const { router: r, client } = router({ [A]: fails('opening', 'ERR_CONNECT_FAILED'), [B]: yields(1) });
    await collect(r.generate({}, { context: trace.setSpan(ROOT_CONTEXT, parent) }));
    const attempts = recorded.spans();
    expect(attempts.map(({ span }) => span.parentSpanContext?.spanId)).toEqual([parent.spanContext().spanId, parent.spanContext().spanId]);
    expect(client.calls.map(({ options }) => trace.getSpanContext(options.context!)?.spanId)).toEqual(attempts.map(({ span }) => span.spanContext().spanId));
  });

  it('stays open until the response stream ends', async () => {
    const { router: r } = router({ [A]: yields(1, 2) });
    const stream = r.generate({});
    await stream.next();
    await stream.next();
    expect(recorded.spans()).toEqual([]);
    await stream.next();
    expect(outcomes()).toEqual(['success']);
  });

  it('has Dynamo\'s names only when asked', async () => {
    const { router: r } = router({ [A]: yields(1) }, { attributes: 'dynamo' });
    await collect(r.generate({}));
    expect(Object.keys(recorded.spans()[0]!.attributes).sort()).toEqual(['migration.is_retry', 'migration.tokens_completed', 'request.attempt', 'request.outcome', 'request_id', 'router_mode', 'worker_id']);
  });

  it('is not made when DYN_LOG turns request_span off; the request goes on', async () => {
    const { router: r, client } = router({ [A]: yields(1) }, { env: { DYN_LOG: 'info,request_span=off' } });
    expect(await collect(r.generate({}, { requestId: REQUEST_ID }))).toEqual([1]);
    expect(recorded.spans()).toEqual([]);
    expect(client.calls[0]?.options.requestId).toBe(REQUEST_ID);
  });
});

describe('a failed attempt', () => {
  const MIGRATABLE: ErrorCode[] = ['ERR_CONNECT_FAILED', 'ERR_CONNECT_TIMEOUT', 'ERR_ACK_TIMEOUT', 'ERR_CONNECTION_CLOSED', 'ERR_WORKER_OVERLOADED', 'ERR_WORKER_UNAVAILABLE', 'ERR_UNKNOWN_ENDPOINT', 'ERR_GENERATE_FAILED'];
  it.each(MIGRATABLE)('of %s is followed by one on another worker', async (code) => {
    const { router: r, client } = router({ [A]: fails('opening', code), [B]: yields(1, 2) });
    expect(await collect(r.generate({}))).toEqual([1, 2]);
    expect(client.calls.map(({ address }) => address)).toEqual([A, B]);
  });

  it.each(['ERR_CONNECTION_CLOSED', 'ERR_STREAM_INCOMPLETE', 'ERR_RESPONSE_TIMEOUT'] as const)('of %s before the first item is followed by one on another worker', async (code) => {
    const { router: r } = router({ [A]: fails('first', code), [B]: yields(1) });
    expect(await collect(r.generate({}))).toEqual([1]);
    expect(outcomes()).toEqual([code === 'ERR_RESPONSE_TIMEOUT' ? 'timeout' : 'worker_disconnected', 'success']);
  });

  it.each(['ERR_PROLOGUE_TIMEOUT', 'ERR_LISTEN_FAILED', 'ERR_REQUEST_REJECTED', 'ERR_FRAME_TOO_LARGE', 'ERR_TOO_MANY_IN_FLIGHT', 'ERR_MESSAGE_INVALID', 'ERR_CLIENT_CLOSED'] as const)('of %s is the caller\'s answer: another worker would do no better', async (code) => {
    const { router: r, client } = router({ [A]: fails('opening', code), [B]: yields(1) });
    await expect(collect(r.generate({}))).rejects.toMatchObject({ code });
    expect(client.calls).toHaveLength(1);
  });

  it('after the first item is never followed by another: nothing is delivered twice', async () => {
    const { router: r, client } = router({ [A]: fails('later', 'ERR_CONNECTION_CLOSED'), [B]: yields('first', 'second') });
    const stream = r.generate({});
    expect(await stream.next()).toEqual({ done: false, value: 'first' });
    await expect(stream.next()).rejects.toMatchObject({ code: 'ERR_CONNECTION_CLOSED' });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(client.calls).toHaveLength(1);
    expect(recorded.spans()).toMatchObject([{ attributes: { 'request.outcome': 'worker_disconnected', 'error.type': 'disconnected' }, status: { code: SpanStatusCode.ERROR, message: 'disconnected' } }]);
    expect(await stream.ended).toMatchObject({ outcome: 'error', error: { code: 'ERR_CONNECTION_CLOSED' } });
  });

  it('on every worker gives the last failure, each worker asked once', async () => {
    const { router: r, client } = router({ [A]: fails('opening', 'ERR_CONNECT_FAILED'), [B]: fails('opening', 'ERR_WORKER_OVERLOADED') });
    await expect(collect(r.generate({}))).rejects.toMatchObject({ code: 'ERR_WORKER_OVERLOADED' });
    expect(client.calls.map(({ address }) => address)).toEqual([A, B]);
    expect(outcomes()).toEqual(['connection_failed', 'rejected']);
  });

  it.each([0, 1, 2])('is followed by %i others at most when that is the limit', async (migrationLimit) => {
    const failing = fails('opening', 'ERR_CONNECT_FAILED');
    const { router: r, client } = router({ [A]: failing, [B]: failing, [C]: failing, '127.0.0.1:4/d/g': failing }, { migrationLimit });
    await expect(collect(r.generate({}))).rejects.toMatchObject({ code: 'ERR_CONNECT_FAILED' });
    expect(client.calls).toHaveLength(1 + migrationLimit);
  });

  it('of a request for one worker is never followed by one on another', async () => {
    const { router: r, client } = router({ [A]: fails('opening', 'ERR_CONNECT_FAILED'), [B]: yields(1) });
    await expect(collect(r.generate({}, { instanceId: 0xan }))).rejects.toMatchObject({ code: 'ERR_CONNECT_FAILED' });
    expect(client.calls).toHaveLength(1);
  });

  it('by an error of the worker\'s goes by its type', async () => {
    const { router: r } = router({ [A]: fails('first', 'ERR_WORKER_ERROR', { errorType: 'engine_shutdown' }), [B]: fails('first', 'ERR_WORKER_ERROR', { errorType: 'backend_invalid_argument' }) });
    await expect(collect(r.generate({}))).rejects.toMatchObject({ errorType: 'backend_invalid_argument' });
    expect(recorded.spans().map(({ attributes }) => [attributes['request.outcome'], attributes['error.type']])).toEqual([['worker_disconnected', 'engine_shutdown'], ['rejected', 'backend_invalid_argument']]);
  });

  it('cancelled by the worker is cancelled, signal context, status unset', async () => {
    const { router: r } = router({ [A]: fails('first', 'ERR_WORKER_ERROR', { errorType: 'backend_cancelled' }), [B]: yields(1) });
    await expect(collect(r.generate({}))).rejects.toMatchObject({ code: 'ERR_WORKER_ERROR' });
    expect(recorded.spans()).toMatchObject([{ attributes: { 'request.outcome': 'cancelled', 'cancellation.signal': 'context' }, status: { code: SpanStatusCode.UNSET } }]);
    expect(recorded.spans()[0]?.attributes).not.toHaveProperty('error.type');
  });
});

describe('whole items', () => {
  const item = (data: unknown): unknown => ({ data });
  const bad = (errorType: string): unknown => ({ event: 'error', error: { errorType, message: 'm' } });

  it('bring a worker\'s failure as an item; as the first one it leads to another worker', async () => {
    const { router: r, client } = router({ [A]: yields(bad('engine_shutdown'), item(0)), [B]: yields(item(1)) });
    expect(await collect(r.generate({}, { annotated: true }))).toEqual([item(1)]);
    expect(client.ends[0]).toEqual({ outcome: 'cancelled', signal: 'stream_drop' });
    expect(recorded.spans().map(({ attributes }) => attributes['error.type'])).toEqual(['engine_shutdown', undefined]);
  });

  it('that no other worker does better are delivered, and the stream goes on', async () => {
    const { router: r } = router({ [A]: yields(bad('engine_shutdown'), item(1)) });
    expect(await collect(r.generate({}, { annotated: true }))).toEqual([bad('engine_shutdown'), item(1)]);
    expect(recorded.spans()).toMatchObject([{ attributes: { 'request.outcome': 'worker_disconnected' }, events: [{ name: 'route request failed' }] }]);
  });

  it('later decide the outcome and are delivered', async () => {
    const { router: r, client } = router({ [A]: yields(item(0), bad('disconnected'), item(1)), [B]: yields(item(9)) });
    expect(await collect(r.generate({}, { annotated: true }))).toEqual([item(0), bad('disconnected'), item(1)]);
    expect(client.calls).toHaveLength(1);
    expect(outcomes()).toEqual(['worker_disconnected']);
  });
});

describe('a worker that failed', () => {
  it('is left alone for a while, then asked again', async () => {
    let now = 0;
    let down = true;
    const a: Script = async function * () {
      if (down) throw new DynamoTracingError('ERR_CONNECT_FAILED', 'down');
      yield BEGUN;
      yield 'a';
    };
    const { router: r, client } = router({ [A]: a, [B]: yields('b') }, { inhibitedMs: 1000, now: () => now });
    await collect(r.generate({}));
    down = false;
    now = 999;
    for (let request = 0; request < 4; request += 1) expect(await collect(r.generate({}))).toEqual(['b']);
    expect(client.calls.map(({ address }) => address)).toEqual([A, B, B, B, B, B]);
    now = 1000;
    expect((await Promise.all([collect(r.generate({})), collect(r.generate({}))])).flat().sort()).toEqual(['a', 'b']);
  });

  it('is asked all the same when there is no other', async () => {
    let calls = 0;
    const a: Script = async function * () {
      if ((calls += 1) === 1) throw new DynamoTracingError('ERR_CONNECT_FAILED', 'down');
      yield BEGUN;
      yield 'a';
    };
    const { router: r } = router({ [A]: a });
    await expect(collect(r.generate({}))).rejects.toMatchObject({ code: 'ERR_CONNECT_FAILED' });
    expect(await collect(r.generate({}))).toEqual(['a']);
  });

  it.each(['ERR_WORKER_OVERLOADED', 'ERR_GENERATE_FAILED'] as const)('by %s is not left alone: it is up', async (code) => {
    const { router: r, client } = router({ [A]: fails('opening', code), [B]: yields('b') });
    await collect(r.generate({}));
    await collect(r.generate({}));
    expect(client.calls.map(({ address }) => address)).toEqual([A, B, A, B]);
  });

  it.each([[{ inhibitedMs: 0 }], [{ env: { DYN_RUNTIME_INHIBITED_DURATION_SECS: '0' } }]])('is not left alone with %j', async (options) => {
    const { router: r, client } = router({ [A]: fails('opening', 'ERR_CONNECT_FAILED'), [B]: yields('b') }, options);
    await collect(r.generate({}));
    await collect(r.generate({}));
    expect(client.calls.map(({ address }) => address)).toEqual([A, B, A, B]);
  });
});

describe('a worker whose record vanishes from discovery while it has not begun to answer', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['hrtime', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate', 'clearImmediate', 'setInterval', 'clearInterval', 'Date'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const instance: Instance = { namespace: 'd', component: 'b', endpoint: 'g', instanceId: 1n, transport: { tcp: A }, codec: 'json' };
  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
  };

  /** A call that waits for its worker, with what discovery shows. */
  async function waiting(): Promise<{ call: Promise<IteratorResult<unknown>>; show: (instances: readonly Instance[]) => Promise<void>; answer: () => void; outcome: () => string }> {
    let answer!: () => void;
    let changed!: () => void;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const list = { instances: [instance] as readonly Instance[], onChange: (listener: () => void) => void (changed = listener), close: () => undefined };
    const script: Script = async function * (call) {
      await Promise.race([answered, killed(call)]);
      yield BEGUN;
      yield 'answered';
    };
    const r = new Router({ client: new ScriptedClient({ [A]: script }), discovery: { watch: async () => list }, endpoint: 'd.b.g', logger: false });
    const call = r.generate({}).next();
    let outcome = 'waits';
    call.then(() => (outcome = 'answered'), () => (outcome = 'failed'));
    await turns();
    const show = async (instances: readonly Instance[]): Promise<void> => {
      list.instances = instances;
      changed();
      await turns();
    };
    return { call, show, answer, outcome: () => outcome };
  }

  it('keeps its call when the record is back by the time it is looked for again: a record is missing while it is written anew', async () => {
    const { call, show, answer, outcome } = await waiting();
    await show([]);
    expect(outcome()).toBe('waits');
    await show([{ ...instance }]);
    jest.runOnlyPendingTimers();
    await turns();
    expect(outcome()).toBe('waits');
    answer();
    await expect(call).resolves.toEqual({ done: false, value: 'answered' });
  });

  it('loses its call with ERR_CONNECTION_CLOSED when the record stays away', async () => {
    const { call, show, outcome } = await waiting();
    const failed = expect(call).rejects.toMatchObject({ code: 'ERR_CONNECTION_CLOSED', address: A });
    await show([]);
    expect(outcome()).toBe('waits');
    jest.runOnlyPendingTimers();
    await failed;
    expect(recorded.spans()).toMatchObject([{ attributes: { 'request.outcome': 'worker_disconnected' } }]);
  });

  it('keeps its call when the record goes and comes back several times', async () => {
    const { call, show, answer } = await waiting();
    for (let absence = 0; absence < 3; absence += 1) {
      await show([]);
      await show([{ ...instance }]);
    }
    jest.runOnlyPendingTimers();
    await turns();
    answer();
    await expect(call).resolves.toEqual({ done: false, value: 'answered' });
  });
});

describe('cancelling', () => {
  it('by leaving the loop is stream_drop', async () => {
    const { router: r, client } = router({ [A]: waits(1, 2, 3) });
    const stream = r.generate({});
    for await (const item of stream) if (item === 2) break;
    expect(await stream.ended).toEqual({ outcome: 'cancelled', signal: 'stream_drop' });
    expect(client.ends).toEqual([{ outcome: 'cancelled', signal: 'stream_drop' }]);
    expect(recorded.spans()).toMatchObject([{
      status: { code: SpanStatusCode.UNSET },
      attributes: { 'request.outcome': 'cancelled', 'cancellation.signal': 'stream_drop' },
      events: [{ name: 'route request cancelled', attributes: { 'request.outcome': 'cancelled', 'cancellation.signal': 'stream_drop' } }],
    }]);
    expect(recorded.spans()[0]?.attributes).not.toHaveProperty('error.type');
    expect(recorded.lines).toMatchObject([{ level: 'debug', message: 'route request cancelled' }]);
  });

  it('by the signal while items flow is kill', async () => {
    const controller = new AbortController();
    const { router: r } = router({ [A]: waits(1) });
    const stream = r.generate({}, { signal: controller.signal });
    await stream.next();
    const next = stream.next();
    controller.abort(new Error('enough'));
    await expect(next).rejects.toMatchObject({ code: 'ERR_CANCELLED' });
    expect(await stream.ended).toEqual({ outcome: 'cancelled', signal: 'kill' });
    expect(recorded.spans()).toMatchObject([{ attributes: { 'request.outcome': 'cancelled', 'cancellation.signal': 'kill' }, status: { code: SpanStatusCode.UNSET } }]);
  });

  it('by the signal while nobody asks for an item ends the span too', async () => {
    const controller = new AbortController();
    const { router: r } = router({ [A]: waits(1) });
    const stream = r.generate({}, { signal: controller.signal });
    await stream.next();
    controller.abort();
    await stream.ended;
    expect(outcomes()).toEqual(['cancelled']);
  });

  it.each(['cancel', 'signal', 'return'] as const)('by %s while a worker is being asked ends there, with no other attempt', async (how) => {
    const controller = new AbortController();
    const asked: Script = async function * (call) {
      await killed(call);
      yield BEGUN;
    };
    const { router: r, client } = router({ [A]: asked, [B]: yields(1) });
    const stream = r.generate({}, { signal: controller.signal });
    const next = expect(stream.next()).rejects.toMatchObject({ code: 'ERR_CANCELLED' });
    await new Promise(setImmediate);
    if (how === 'cancel') stream.cancel();
    else if (how === 'signal') controller.abort();
    else expect(await stream.return()).toEqual({ done: true, value: undefined });
    await next;
    const signal = how === 'return' ? 'stream_drop' : 'kill';
    expect(await stream.ended).toEqual({ outcome: 'cancelled', signal });
    expect(recorded.spans()).toMatchObject([{ attributes: { 'request.outcome': 'cancelled', 'cancellation.signal': signal }, status: { code: SpanStatusCode.UNSET } }]);
    expect(client.calls).toHaveLength(1);
  });

  it('before anything was sent asks no worker, and says so', async () => {
    const { router: r, client } = router({ [A]: yields(1) });
    const stream = r.generate({}, { signal: AbortSignal.abort('enough') });
    await expect(stream.next()).rejects.toMatchObject({ code: 'ERR_CANCELLED', cause: 'enough' });
    expect(await stream.ended).toEqual({ outcome: 'cancelled', signal: 'kill' });
    expect([client.calls, recorded.spans()]).toEqual([[], []]);
    expect(recorded.lines).toMatchObject([{ level: 'debug', message: 'request cancelled before worker dispatch', fields: { 'request.attempt': 0, 'migration.is_retry': false } }]);
  });

  it('between two attempts says so and asks no other worker', async () => {
    const controller = new AbortController();
    const failing: Script = async function * () {
      controller.abort();
      yield * fails('opening', 'ERR_CONNECT_FAILED')({} as never);
    };
    const { router: r, client } = router({ [A]: failing, [B]: yields(1) });
    const stream = r.generate({}, { signal: controller.signal });
    await expect(collect(stream)).rejects.toMatchObject({ code: 'ERR_CANCELLED' });
    expect(await stream.ended).toEqual({ outcome: 'cancelled', signal: 'kill' });
    expect(client.calls).toHaveLength(1);
    expect(outcomes()).toEqual(['connection_failed']);
    expect(recorded.lines.map(({ message }) => message)).toEqual(['route request failed', 'migration cancelled before worker dispatch']);
    expect(recorded.lines[1]).toMatchObject({ fields: { 'request.attempt': 1, 'migration.is_retry': true, 'migration.reason': 'cannot_connect', 'migration.from_worker_id': '10', 'migration.tokens_completed': 0 } });
  });

  it('of a stream nobody iterated ends it at once', async () => {
    const { router: r, client } = router({ [A]: yields(1) });
    const stream = r.generate({});
    expect(await stream.return()).toEqual({ done: true, value: undefined });
    expect(await stream.ended).toEqual({ outcome: 'cancelled', signal: 'stream_drop' });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(client.calls).toEqual([]);
  });

  it('by stop lets what is on its way be read and ends as cancelled, signal stop', async () => {
    const { router: r } = router({ [A]: yields(1, 2) });
    const stream = r.generate({});
    expect((await stream.next()).value).toBe(1);
    stream.stop();
    expect(await collect(stream)).toEqual([2]);
    expect(await stream.ended).toEqual({ outcome: 'cancelled', signal: 'stop' });
    expect(recorded.spans()).toMatchObject([{ attributes: { 'request.outcome': 'cancelled', 'cancellation.signal': 'stop' } }]);
  });

  it('by stop before the worker has answered reaches it when it has', async () => {
    const { router: r, client } = router({ [A]: yields(1) });
    const stream = r.generate({});
    stream.stop();
    expect(await collect(stream)).toEqual([1]);
    expect(client.ends).toEqual([{ outcome: 'cancelled', signal: 'stop' }]);
  });

  it('after the end changes nothing and leaves no listener behind', async () => {
    const controller = new AbortController();
    const remove = jest.spyOn(controller.signal, 'removeEventListener');
    const { router: r } = router({ [A]: yields(1) });
    const stream = r.generate({}, { signal: controller.signal });
    await collect(stream);
    await stream.ended;
    stream.cancel();
    stream.stop();
    controller.abort();
    expect(remove).toHaveBeenCalled();
    expect(outcomes()).toEqual(['success']);
    expect(await stream.ended).toEqual({ outcome: 'complete' });
  });
});
