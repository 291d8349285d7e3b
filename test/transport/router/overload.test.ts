import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { RequestPlaneServer, Router } from 'dynamo-tracing/transport';
import { until } from '../../support/until';
import { afterTest, cleanUp, collect, failure, makeClient, serve } from '../support';

afterEach(cleanUp);

describe('a prologue timeout', () => {
  it('in a full but healthy queue is the answer: no other worker gets the request, and none is left alone', async () => {
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const seen: unknown[] = [];
    const handler = async function* (request: unknown) {
      seen.push(request);
      if (request === 'busy') await gate;
      yield request;
    };
    const workers = await Promise.all([1, 2, 3, 4].map(() => serve(handler, { workerPoolSize: 1 })));
    const client = makeClient();
    const busy = workers.map((worker) => collect(client.generate(worker.address, 'busy')));
    await until('all are busy', () => seen.length === 4);

    const router = new Router({ client, addresses: workers.map(({ address }) => address), logger: false, env: {} });
    const asked: string[] = [];
    const late = await failure(collect(router.generate('late', { prologueTimeoutMs: 50, onWorker: ({ address }) => asked.push(address) })));
    expect(late).toMatchObject({ code: 'ERR_PROLOGUE_TIMEOUT' });
    expect(asked).toHaveLength(1);

    release();
    await Promise.all(busy);
    await until('the queues are empty', () => workers.every(({ inFlight }) => inFlight === 0));
    for (let i = 0; i < 4; i += 1) await collect(router.generate(i, { onWorker: ({ address }) => asked.push(address) }));
    expect(new Set(asked.slice(1))).toEqual(new Set(workers.map(({ address }) => address)));
  });
});

describe('a listener of this machine that cannot be opened', () => {
  async function takenPort(): Promise<number> {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    afterTest(() => taken.close());
    return (taken.address() as AddressInfo).port;
  }

  it('has its own code and blames no worker: one attempt, nobody left alone, and the next call tries again', async () => {
    const worker = await serve(async function* () { yield 1; });
    const spare = await serve(async function* () { yield 2; });
    const client = makeClient({ responsePort: await takenPort() });
    const router = new Router({ client, addresses: [worker.address, spare.address], logger: false, env: {} });
    const asked: string[] = [];
    for (let i = 0; i < 2; i += 1) {
      expect(await failure(collect(router.generate(0, { onWorker: ({ address }) => asked.push(address) })))).toMatchObject({ code: 'ERR_LISTEN_FAILED', host: '127.0.0.1', cause: { code: 'EADDRINUSE' } });
    }
    expect(asked).toEqual([worker.address, spare.address]);
  });

  it('has the same code at a worker', async () => {
    const server = new RequestPlaneServer({ host: '127.0.0.1', port: await takenPort(), logger: false, env: {} });
    await expect(server.listen()).rejects.toMatchObject({ code: 'ERR_LISTEN_FAILED', cause: { code: 'EADDRINUSE' } });
  });
});
