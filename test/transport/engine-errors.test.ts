import { afterEach, describe, expect, it } from '@jest/globals';
import { Router } from 'dynamo-tracing/transport';
import { cleanUp, collect, failure, makeClient, serve } from './support';

afterEach(cleanUp);

const REJECTION = { token_ids: [], finish_reason: { error: 'prompt is longer than the context' } };
const engine = () => serve(async function* () {
  yield { token_ids: [1], finish_reason: null };
  yield REJECTION;
});

describe('an engine that rejects a request in its data', () => {
  it.each(['json', 'msgpack'] as const)('is data unless the caller asks (%s)', async (codec) => {
    const worker = await engine();
    expect(await collect(makeClient().generate(worker.address, 1, { codec }))).toEqual([{ token_ids: [1], finish_reason: null }, REJECTION]);
  });

  it.each(['json', 'msgpack'] as const)('is a typed error when the caller asks (%s)', async (codec) => {
    const worker = await engine();
    const items = makeClient().generate(worker.address, 1, { codec, engineErrors: true });
    await expect(items.next()).resolves.toMatchObject({ value: { token_ids: [1] } });
    expect(await failure(items.next())).toMatchObject({ code: 'ERR_WORKER_ERROR', errorType: 'backend_unknown', message: 'prompt is longer than the context' });
  });

  it.each([['error: prompt is longer', 'prompt is longer'], ['error', 'the worker failed: backend_unknown']])('is told as text by engines written in Python: %s', async (reason, message) => {
    const worker = await serve(async function* () { yield { token_ids: [], finish_reason: reason }; });
    expect(await failure(makeClient().generate(worker.address, 1, { engineErrors: true }).next())).toMatchObject({ code: 'ERR_WORKER_ERROR', errorType: 'backend_unknown', message });
  });

  it('is an error item where whole items are wanted', async () => {
    const worker = await engine();
    const [, last] = await collect(makeClient().generate(worker.address, 1, { annotated: true, engineErrors: true }));
    expect(last).toEqual({ data: REJECTION, event: 'error', error: { errorType: 'backend_unknown', message: 'prompt is longer than the context' } });
  });

  it('is the caller\'s answer through a router: no other worker is asked', async () => {
    const workers = await Promise.all([1, 2].map(() => serve(async function* () { yield REJECTION; })));
    const stream = new Router({ client: makeClient(), addresses: workers.map(({ address }) => address), logger: false, env: {} }).generate(1, { engineErrors: true });
    expect(await failure(collect(stream))).toMatchObject({ errorType: 'backend_unknown' });
    expect(stream.attempts).toBe(1);
  });
});
