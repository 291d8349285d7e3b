import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpanStatusCode } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from '@jest/globals';
import { RequestPlaneClient } from '../../../src/transport/client/client.js';
import { FileDiscovery } from '../../../src/transport/discovery/index.js';
import { Router, type RouteOptions, type RouterOptions } from 'dynamo-tracing/transport';
import { RequestPlaneServer } from '../../../src/transport/server/server.js';
import type { EndpointHandler } from '../../../src/transport/types.js';
import { until } from '../../support/until.js';
import { recordSpans } from './spans.js';

const recorded = recordSpans();
const NAME = 'dynamo.backend.generate';
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function worker(instanceId: bigint, handler: EndpointHandler): Promise<{ address: string; server: RequestPlaneServer }> {
  const server = new RequestPlaneServer({ host: '127.0.0.1', logger: false, instanceId });
  await server.listen();
  closing.push(() => server.close({ graceMs: 0 }));
  return { server, address: server.endpoint(NAME, handler).address };
}

function client(): RequestPlaneClient {
  const made = new RequestPlaneClient({ responseHost: '127.0.0.1', logger: false, requestTimeoutMs: 2000, prologueTimeoutMs: 20_000 });
  closing.push(() => made.close());
  return made;
}

function router(addresses: readonly string[], options: Partial<RouterOptions> = {}): Router {
  return new Router({ client: client(), addresses, logger: false, ...options });
}

async function collect(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A worker of a process of its own. */
async function workerProcess(instanceId: number): Promise<{ child: ChildProcess; address: string; reached(stage: string): Promise<void> }> {
  const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'worker-process.ts'), String(instanceId)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  closing.push(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  await until('the worker says its address', () => output.includes('\n'), 15_000);
  return { child, address: output.trim(), reached: (stage) => until(`the worker stops at its ${stage}`, () => output.includes(`${stage}\n`)) };
}

describe('a router over loopback workers', () => {
  it('spreads requests evenly, and each handle_payload is a child of its attempt', async () => {
    const served = new Map<bigint, number>();
    const count: EndpointHandler = async function * (_request, { instanceId }) {
      served.set(instanceId, (served.get(instanceId) ?? 0) + 1);
      yield instanceId;
    };
    const workers = await Promise.all([1n, 2n, 3n].map((id) => worker(id, count)));
    const r = router(workers.map(({ address }) => address));
    await Promise.all(Array.from({ length: 30 }, async () => {
      const stream = r.generate({});
      expect((await collect(stream)).map(String)).toEqual([String(stream.workerId)]);
    }));
    expect([...served.entries()].sort()).toEqual([[1n, 10], [2n, 10], [3n, 10]]);
    await until('all spans of workers', () => recorded.spans('handle_payload').length === 30);
    const attempts = new Map(recorded.spans().map(({ span, attributes }) => [span.spanContext().spanId, attributes['worker_id']]));
    for (const { span, attributes } of recorded.spans('handle_payload')) expect(attempts.get(span.parentSpanContext!.spanId)).toBe(attributes['instance_id']);
  });

  it('goes to another worker when one refuses connections', async () => {
    const gone = await worker(1n, async function * () { yield 1; });
    const here = await worker(2n, async function * () { yield 2; });
    await gone.server.close();
    const r = router([gone.address, here.address]);
    expect(await collect(r.generate({}))).toEqual([2]);
    expect(recorded.spans().map(({ attributes }) => [attributes['worker_id'], attributes['request.outcome'], attributes['error.type'], attributes['migration.from_worker_id']])).toEqual([
      ['1', 'connection_failed', 'cannot_connect', undefined],
      ['2', 'success', undefined, '1'],
    ]);
  });

  it('goes to another worker when one is full, serves another endpoint, or fails before its stream', async () => {
    const here = await worker(9n, async function * () { yield 9; });
    const full = new RequestPlaneServer({ host: '127.0.0.1', logger: false, instanceId: 1n, workerPoolSize: 1, workQueueSize: 0 });
    await full.listen();
    closing.push(() => full.close({ graceMs: 0 }));
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const busy = full.endpoint(NAME, async function * () {
      yield 'busy';
      await gate;
    });
    const occupied = await client().openStream(busy.address, {});
    await occupied.next();
    const failing = await worker(2n, () => { throw Object.assign(new Error('down'), { errorType: 'engine_shutdown' }); });
    const invalid = await worker(3n, () => { throw Object.assign(new Error('bad prompt'), { status: 400 }); });
    const wrong = here.address.replace(/[^/]+$/, 'other');
    expect(await collect(router([busy.address, here.address]).generate({}))).toEqual([9]);
    expect(await collect(router([wrong, here.address]).generate({}))).toEqual([9]);
    expect(await collect(router([failing.address, here.address]).generate({}))).toEqual([9]);
    await expect(collect(router([invalid.address, here.address]).generate({}))).rejects.toMatchObject({ code: 'ERR_GENERATE_FAILED' });
    open();
    expect(recorded.spans().map(({ attributes }) => attributes['error.type'] ?? 'success')).toEqual(['worker_overloaded', 'success', 'worker_unavailable', 'success', 'engine_shutdown', 'success', 'backend_invalid_argument']);
  });

  it('goes to another worker when one takes the request and never answers', async () => {
    const silent: Server = createServer((socket) => void socket.resume().on('error', () => undefined));
    const sockets: (() => void)[] = [];
    silent.on('connection', (socket) => sockets.push(() => socket.destroy()));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    closing.push(() => {
      for (const destroy of sockets) destroy();
      silent.close();
    });
    const here = await worker(2n, async function * () { yield 2; });
    const r = router([`127.0.0.1:${(silent.address() as AddressInfo).port}/1/generate`, here.address]);
    expect(await collect(r.generate({}, { requestTimeoutMs: 1000 }))).toEqual([2]);
    expect(recorded.spans().map(({ attributes }) => [attributes['request.outcome'], attributes['error.type']])).toEqual([['timeout', 'connection_timeout'], ['success', undefined]]);
  });

  it.each([
    [{}, 'kill'],
    [{ annotated: true }, 'kill'],
  ] as const)('cancelled by its signal with %j tells the worker, and both spans say so', async (options, signal) => {
    let heard = false;
    const { address } = await worker(1n, async function * (_request, context) {
      context.signal.addEventListener('abort', () => (heard = true));
      for (let n = 0; !context.signal.aborted; n += 1) {
        yield n;
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const controller = new AbortController();
    const stream = router([address]).generate({}, { ...(options as RouteOptions), signal: controller.signal });
    await stream.next();
    controller.abort();
    await expect(collect(stream)).rejects.toMatchObject({ code: 'ERR_CANCELLED' });
    await until('the worker hears of it', () => heard);
    expect(recorded.spans()).toMatchObject([{ attributes: { 'request.outcome': 'cancelled', 'cancellation.signal': signal }, status: { code: SpanStatusCode.UNSET } }]);
    await until('the worker\'s span', () => recorded.spans('handle_payload').length === 1);
  });

  it('stopped takes what is on its way and ends cleanly', async () => {
    const { address } = await worker(1n, async function * (_request, context) {
      for (let n = 0; !context.stopped; n += 1) {
        yield n;
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
    const stream = router([address]).generate({});
    await stream.next();
    stream.stop();
    await collect(stream);
    expect(recorded.spans()).toMatchObject([{ attributes: { 'request.outcome': 'cancelled', 'cancellation.signal': 'stop' } }]);
  });

  it('finds workers through the file store and forgets those that withdraw', async () => {
    const root = mkdtempSync(join(tmpdir(), 'dynamo-kv-'));
    const [workers, finder] = [new FileDiscovery({ root, logger: false }), new FileDiscovery({ root, logger: false })];
    const r = new Router({ client: client(), discovery: finder, endpoint: NAME, logger: false });
    closing.push(async () => {
      await r.close();
      await Promise.all([workers.close(), finder.close()]);
      rmSync(root, { recursive: true });
    });
    await expect(collect(r.generate({}))).rejects.toMatchObject({ code: 'ERR_NO_WORKERS', endpoint: NAME });
    const announced = [];
    for (const id of [2n ** 64n - 1n, 2n ** 63n]) {
      const { address } = await worker(id, async function * () { yield id; });
      announced.push(await workers.announce({ namespace: 'dynamo', component: 'backend', endpoint: 'generate', instanceId: id, transport: { tcp: address.replace('tcp://', '') }, codec: 'msgpack' }));
    }
    await finder.waitForInstances(NAME, { count: 2 });
    const ids = new Set<unknown>();
    while (ids.size < 2) for (const id of await collect(r.generate({}))) ids.add(id);
    expect(ids).toEqual(new Set([2n ** 64n - 1n, 2n ** 63n]));
    await announced[0]!.withdraw();
    while ((await r.workers()).length > 1) await new Promise((resolve) => setImmediate(resolve));
    await expect(collect(r.generate({}, { instanceId: 2n ** 64n - 1n }))).rejects.toMatchObject({ code: 'ERR_NO_WORKERS', instanceId: 2n ** 64n - 1n });
    expect(await collect(r.generate({}))).toEqual([2n ** 63n]);
  });
});

describe('a worker that is killed', () => {
  it.each([
    ['prologue', 2],
    ['first item', 2],
  ] as const)('before its %s is followed by another', async (stage, attempts) => {
    const dying = await workerProcess(1);
    const here = await worker(2n, async function * () { yield 'here'; });
    const stream = router([dying.address, here.address]).generate({ stopAt: stage });
    const items = collect(stream);
    await dying.reached(stage);
    dying.child.kill('SIGKILL');
    expect(await items).toEqual(['here']);
    expect([stream.attempts, stream.workerId]).toEqual([attempts, 2n]);
    expect(recorded.spans()).toMatchObject([
      { attributes: { worker_id: '1', 'request.outcome': 'worker_disconnected', 'error.type': 'disconnected' }, status: { code: SpanStatusCode.ERROR } },
      { attributes: { worker_id: '2', 'request.outcome': 'success', 'migration.reason': 'disconnected', 'migration.from_worker_id': '1' } },
    ]);
  }, 30_000);

  it('after its first item is the caller\'s error, and the span ends', async () => {
    const dying = await workerProcess(1);
    const here = await worker(2n, async function * () { yield 'here'; });
    const stream = router([dying.address, here.address]).generate({ stopAt: 'second item' });
    expect(await stream.next()).toMatchObject({ done: false, value: { worker: dying.child.pid } });
    const next = stream.next();
    await dying.reached('second item');
    dying.child.kill('SIGKILL');
    await expect(next).rejects.toMatchObject({ code: 'ERR_STREAM_INCOMPLETE' });
    expect(recorded.spans()).toMatchObject([{ attributes: { worker_id: '1', 'request.outcome': 'worker_disconnected', 'error.type': 'disconnected' }, status: { code: SpanStatusCode.ERROR, message: 'disconnected' } }]);
  }, 30_000);
});
