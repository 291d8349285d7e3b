import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FileDiscovery, Router, type Announcement } from 'dynamo-tracing/transport';
import { Selection } from '../../../src/transport/router/selection';
import { until } from '../../support/until';
import { ACCEPT, afterTest, cleanUp, collect, failure, makeClient, rawWorker, serve } from '../support';

let discovery: FileDiscovery;
beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), 'dynamo-kv-'));
  afterTest(() => rmSync(root, { recursive: true }));
  discovery = new FileDiscovery({ root, logger: false });
  afterTest(() => discovery.close());
});
afterEach(cleanUp);

const announce = (address: string, instanceId: bigint): Promise<Announcement> =>
  discovery.announce({ namespace: 'n', component: 'c', endpoint: 'e', instanceId, transport: { tcp: address.replace('tcp://', '') }, codec: 'json' });

function router(): Router {
  const made = new Router({ client: makeClient(), discovery, endpoint: 'n.c.e', logger: false, env: {} });
  afterTest(() => made.close());
  return made;
}

/** A worker that acknowledges and never answers. */
async function silent(): Promise<{ address: string; requests: () => number; connections: () => number }> {
  let requests = 0;
  const { address, sockets } = await rawWorker((_frame, socket) => {
    requests += 1;
    socket.write(ACCEPT);
  });
  return { address, requests: () => requests, connections: () => sockets.size };
}

describe('a worker whose record vanishes', () => {
  it('fails the calls that wait for it, as disconnected', async () => {
    const worker = await silent();
    const record = await announce(worker.address, 1n);
    const call = failure(collect(router().generate('x')));
    await until('the request', () => worker.requests() === 1);
    await record.withdraw();
    expect(await call).toMatchObject({ code: 'ERR_CONNECTION_CLOSED', address: worker.address });
  });

  it('gives its calls to another worker', async () => {
    const worker = await silent();
    const record = await announce(worker.address, 1n);
    const answer = collect(router().generate('x'));
    await until('the request', () => worker.requests() === 1);
    const spare = await serve(async function* (request: unknown) { yield request; });
    await announce(spare.address, 2n);
    await discovery.waitForInstances('n.c.e', { count: 2 });
    await record.withdraw();
    await expect(answer).resolves.toEqual(['x']);
  });

  it('leaves a call whose stream has begun alone', async () => {
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const worker = await serve(async function* () { yield 1; await gate; yield 2; });
    const record = await announce(worker.address, 1n);
    const routed = router();
    const stream = routed.generate('x');
    await stream.next();
    await record.withdraw();
    for (let workers = await routed.workers(); workers.length > 0; workers = await routed.workers()) await new Promise((resolve) => setImmediate(resolve));
    release();
    await expect(collect(stream)).resolves.toEqual([2]);
  });

  it('that its caller aborts is cancelled all the same', async () => {
    const worker = await silent();
    await announce(worker.address, 1n);
    const abort = new AbortController();
    const call = failure(collect(router().generate('x', { signal: abort.signal })));
    await until('the request', () => worker.requests() === 1);
    abort.abort();
    expect(await call).toMatchObject({ code: 'ERR_CANCELLED' });
  });
});

it('workers that discovery names are connected to ahead of their first request', async () => {
  const first = await serve(async function* () { yield 1; });
  await announce(first.address, 1n);
  const others = [await silent(), await silent()];
  await announce(others[0]!.address, 2n);
  const routed = router();
  await collect(routed.generate('x', { instanceId: 1n }));
  await until('a connection to the second', () => others[0]!.connections() === 1);
  await announce(others[1]!.address, 3n);
  await until('a connection to the one that came later', () => others[1]!.connections() === 1);
  expect(others.map((other) => other.requests())).toEqual([0, 0]);
});

describe('instance ids', () => {
  it.each([-1n, 2n ** 64n, 5, 'a'] as never[])('given by hand are checked: %p', async (instanceId) => {
    const refused = expect.objectContaining({ code: 'ERR_OPTION_INVALID' });
    const worker = await serve(async function* () { yield 1; });
    expect(() => worker.server.endpoint('n.c.e', async function* () { yield 1; }, { instanceId })).toThrow(refused);
    expect(() => router().generate('x', { instanceId })).toThrow(refused);
    const instance = { namespace: 'n', component: 'c', endpoint: 'e', codec: 'json' as const, transport: { tcp: '127.0.0.1:9/x' } };
    expect(() => new Router({ client: makeClient(), addresses: [{ ...instance, instanceId }], env: {} })).toThrow(refused);
    await expect(discovery.announce({ ...instance, instanceId })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
  });
});

it('addresses that were left alone are forgotten when their time is up, and when their worker is gone', () => {
  let now = 0;
  const selection = new Selection(1000, () => now);
  const worker = (n: number) => ({ workerId: BigInt(n), plane: 'tcp' as const, address: `10.0.0.1:${n}/x`, codec: 'json' as const });
  for (let n = 1; n <= 500; n += 1) {
    selection.inhibit(worker(n));
    now += 10;
  }
  expect(selection.inhibited).toBe(100);
  selection.release(worker(500));
  expect(selection.inhibited).toBe(99);
});

it.each([
  [undefined, 'msgpack'],
  ['', 'msgpack'],
  ['cbor', 'msgpack'],
  ['json', 'json'],
  ['msgpack', 'msgpack'],
])('an announcement without a codec goes by DYN_REQUEST_PLANE_CODEC as in Dynamo: %j is %s', async (variable, codec) => {
  const announcer = new FileDiscovery({ root: discovery.root, logger: false, env: { DYN_REQUEST_PLANE_CODEC: variable } });
  afterTest(() => announcer.close());
  const name = { namespace: 'n', component: 'c', endpoint: 'e' };
  const { instance } = await announcer.announce({ ...name, transport: { tcp: '127.0.0.1:9/x' } });
  expect(instance.codec).toBe(codec);
});
