import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Router, type PayloadCodecName, type RequestPlaneClient } from 'dynamo-tracing/transport';
import { cleanUp, makeClient, serve } from './support';

afterEach(cleanUp);

const STREAMS = 200;
const PROMPT = 262_144;
const gc = (setFlagsFromString('--expose-gc'), runInNewContext('gc') as () => void);

/**
 * Heap and buffers after collections, in bytes. Buffers are freed by another thread, which a busy machine lets wait: collects again
 * while more than `enough` is held, at most 100 times.
 */
async function heldBytes(enough: number): Promise<number> {
  for (let round = 0; ; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    gc();
    const { heapUsed, external } = process.memoryUsage();
    if (round >= 4 && (heapUsed + external <= enough || round === 100)) return heapUsed + external;
  }
}

type Opener = (client: RequestPlaneClient, address: string, request: unknown, codec: PayloadCodecName) => AsyncIterableIterator<unknown>;
const OPENERS: readonly [string, PayloadCodecName, Opener][] = [
  ['a client', 'json', (client, address, request, codec) => client.generate(address, request, { codec })],
  ['a client', 'msgpack', (client, address, request, codec) => client.generate(address, request, { codec })],
  ['a router', 'json', (client, address, request, codec) => new Router({ client, addresses: [address], codec, logger: false, env: {} }).generate(request)],
];

describe('an open stream', () => {
  it.each(OPENERS)('of %s (%s) holds its prompt neither at the caller nor at the worker', async (_who, codec, open) => {
    // The handler lets its argument go: what a generator function was called with, the engine keeps for as long as it runs.
    const worker = await serve((request: { prompt: string }) => {
      const { length } = request.prompt;
      return (async function* () {
        yield length;
        await new Promise(() => undefined);
      })();
    });
    const client = makeClient({ requestTimeoutMs: 30_000 });
    const begin = async (n: number): Promise<AsyncIterableIterator<unknown>> => {
      const stream = open(client, worker.address, { prompt: `${n} `.padEnd(PROMPT, 'x') }, codec);
      expect(await stream.next()).toEqual({ done: false, value: PROMPT });
      return stream;
    };
    await begin(0);
    const before = await heldBytes(Infinity);
    const streams = [];
    for (let n = 1; n <= STREAMS; n += 1) streams.push(await begin(n));
    const limit = (STREAMS * PROMPT) / 8;
    expect((await heldBytes(before + limit - 1)) - before).toBeLessThan(limit);
    expect(streams).toHaveLength(STREAMS);
  }, 30_000);
});
