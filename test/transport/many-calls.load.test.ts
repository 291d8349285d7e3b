import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from '@jest/globals';
import { until } from '../support/until';
import { cleanUp, collect, failure, makeClient, serve } from './support';

afterEach(cleanUp);

const MIB = 1024 * 1024;

describe('payloads', () => {
  it.each([1, 16])('of %d MiB travel both ways', async (size) => {
    const worker = await serve(async function* (request: string) { yield request.length; yield request; });
    const body = 'x'.repeat(size * MIB);
    const [length, echo] = await collect(makeClient().generate(worker.address, body));
    expect(length).toBe(size * MIB);
    expect(echo === body).toBe(true);
  });

  it('over the limit are refused on this side: requests before they are sent, items as an error item', async () => {
    const worker = await serve(async function* () { yield 'x'.repeat(3 * MIB); }, { maxMessageSize: 2 * MIB });
    const client = makeClient({ maxMessageSize: 2 * MIB });
    expect(await failure(client.openStream(worker.address, 'x'.repeat(3 * MIB)))).toMatchObject({ code: 'ERR_FRAME_TOO_LARGE', limit: 2 * MIB });
    expect(await failure(collect(client.generate(worker.address, 1)))).toMatchObject({ code: 'ERR_WORKER_ERROR', message: expect.stringContaining('message too large') });
  });

  it('over the limit of the worker are refused by its ack', async () => {
    const worker = await serve(async function* () { yield 1; }, { maxMessageSize: MIB });
    expect(await failure(makeClient().openStream(worker.address, 'x'.repeat(2 * MIB)))).toMatchObject({ code: 'ERR_REQUEST_REJECTED', ack: expect.stringContaining('message too large') });
  });
});

describe('many requests', () => {
  it('2,000 in flight on one pool each get their own answer', async () => {
    let arrived = 0;
    let release!: () => void;
    const all = new Promise<void>((resolve) => (release = resolve));
    const worker = await serve(async function* (n: number) {
      if ((arrived += 1) === 2000) release();
      await all;
      yield n;
    });
    const client = makeClient();
    const answers = await Promise.all(Array.from({ length: 2000 }, (_, n) => collect(client.generate<number>(worker.address, n))));
    expect(answers.every(([answer], n) => answer === n)).toBe(true);
    await until('nothing in flight', () => worker.inFlight === 0);
  }, 240_000);

  it('10,000 request frames one after the other leave nothing behind', async () => {
    const worker = await serve(async function* () { yield 1; });
    worker.remove();
    const client = makeClient();
    const abort = new AbortController();
    const ask = (): Promise<unknown> => failure(client.send(worker.address, {}, [Buffer.from('x')], { signal: abort.signal }));
    for (let i = 0; i < 1000; i += 1) await ask();
    const [before, heap] = [resources(), heapBytes()];
    for (let i = 0; i < 10_000; i += 1) await ask();
    expect(await ask()).toMatchObject({ code: 'ERR_UNKNOWN_ENDPOINT' });
    await until('all of their resources are gone', () => resources() <= before);
    expect(heapBytes() - heap).toBeLessThan(2 * MIB);
  }, 240_000);

  it('10,000 streamed calls one after the other leave no socket, timer or listener behind', async () => {
    const worker = await serve(async function* (n: number) { yield n; });
    const client = makeClient({ inactivityTimeoutMs: 5000 });
    const abort = new AbortController();
    for (let n = 0; n < 100; n += 1) await collect(client.generate(worker.address, n, { signal: abort.signal }));
    await until('those calls are gone', () => worker.server.payloads.inFlight === 0);
    const [before, heap] = [resources(), heapBytes()];
    for (let n = 0; n < 10_000; n += 1) expect(await collect(client.generate<number>(worker.address, n, { signal: abort.signal }))).toEqual([n]);
    await until('all sockets are closed', () => resources() <= before);
    expect(worker.server.payloads.inFlight).toBe(0);
    expect(heapBytes() - heap).toBeLessThan(2 * MIB);
  }, 240_000);
});

const gc = (setFlagsFromString('--expose-gc'), runInNewContext('gc') as () => void);

/** Live heap after a collection, in bytes. */
function heapBytes(): number {
  gc();
  return process.memoryUsage().heapUsed;
}

/** Sockets and timers of this process. */
function resources(): number {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).length;
}
