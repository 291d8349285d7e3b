import { once } from 'node:events';
import { afterEach, describe, expect, it } from '@jest/globals';
import { encodePrologue, encodeTwoPart } from 'dynamo-tracing/transport';
import { until } from '../support/until';
import { ACCEPT, cleanUp, collect, dataFrame, dialHome, failure, FINAL, FrameTap, headerFrame, itemFrame, makeClient, PROLOGUE, rawWorker, SENTINEL } from './support';

afterEach(cleanUp);

/** A worker that acks, calls home and then writes what the test gives it. */
async function scripted(...steps: (Uint8Array | 'close' | 'reset')[]): Promise<string> {
  const worker = await rawWorker((_frame, socket, control) => {
    socket.write(ACCEPT);
    void dialHome(control).then((home) => {
      for (const step of steps) {
        if (step === 'close') home.end();
        else if (step === 'reset') home.resetAndDestroy();
        else home.write(step);
      }
    });
  });
  return worker.address;
}

const open = async (address: string, options = {}) => makeClient().openStream(address, 1, options);

describe('a worker that dies', () => {
  it('before the ack: ERR_CONNECTION_CLOSED', async () => {
    const { address } = await rawWorker((_frame, socket) => socket.destroy());
    expect(await failure(open(address))).toMatchObject({ code: 'ERR_CONNECTION_CLOSED' });
  });

  it('instead of acking in time: ERR_ACK_TIMEOUT', async () => {
    const { address } = await rawWorker(() => undefined);
    expect(await failure(open(address, { requestTimeoutMs: 30 }))).toMatchObject({ code: 'ERR_ACK_TIMEOUT' });
  });

  it('calls home and never acks: ERR_ACK_TIMEOUT, and the worker is told to drop the request', async () => {
    let home: FrameTap | undefined;
    const { address } = await rawWorker((_frame, _socket, control) => void dialHome(control).then((socket) => {
      home = new FrameTap(socket);
      socket.write(Buffer.concat([PROLOGUE, itemFrame(1)]));
    }));
    expect(await failure(open(address, { requestTimeoutMs: 100 }))).toMatchObject({ code: 'ERR_ACK_TIMEOUT' });
    await until('it has called', () => home !== undefined);
    await expect(home!.next()).resolves.toBe('"kill"');
  });

  it('after the ack: ERR_PROLOGUE_TIMEOUT', async () => {
    const { address } = await rawWorker((_frame, socket) => socket.write(ACCEPT));
    expect(await failure(open(address, { prologueTimeoutMs: 100 }))).toMatchObject({ code: 'ERR_PROLOGUE_TIMEOUT', timeoutMs: 100 });
  });

  it.each(['close', 'reset'] as const)('between handshake and prologue (%s): ERR_CONNECTION_CLOSED', async (how) => {
    expect(await failure(open(await scripted(how)))).toMatchObject({ code: 'ERR_CONNECTION_CLOSED' });
  });

  it.each(['close', 'reset'] as const)('mid-stream (%s): what came before is delivered, then ERR_STREAM_INCOMPLETE', async (how) => {
    const stream = await open(await scripted(PROLOGUE, itemFrame(1), ...(how === 'close' ? [itemFrame(2).subarray(0, 30)] : []), how));
    const seen: unknown[] = [];
    const error = await failure((async () => { for await (const item of stream) seen.push(item); })());
    expect(error).toMatchObject({ code: 'ERR_STREAM_INCOMPLETE' });
    if (how === 'close') expect(seen).toEqual([1]);
    await expect(stream.ended).resolves.toEqual({ outcome: 'error', error });
    await expect(stream.next()).resolves.toEqual({ done: true, value: undefined });
  });

  it('before the sentinel: the response is complete all the same', async () => {
    const stream = await open(await scripted(PROLOGUE, itemFrame(1), FINAL, 'close'));
    await expect(collect(stream)).resolves.toEqual([1]);
    await expect(stream.ended).resolves.toEqual({ outcome: 'complete' });
  });

  it('silently, with an inactivity timeout: ERR_RESPONSE_TIMEOUT', async () => {
    const stream = await open(await scripted(PROLOGUE, itemFrame(1)), { inactivityTimeoutMs: 30 });
    expect(await failure(collect(stream))).toMatchObject({ code: 'ERR_RESPONSE_TIMEOUT', timeoutMs: 30 });
  });
});

describe('a worker that breaks the protocol', () => {
  const CASES: readonly (readonly [string, Uint8Array[], Record<string, unknown>, unknown[]])[] = [
    ['a frame after the final one', [itemFrame(1), FINAL, itemFrame(2)], { code: 'ERR_MESSAGE_INVALID', message: expect.stringContaining('after generation ended') }, [1]],
    ['an empty frame', [dataFrame({ complete_final: false })], { code: 'ERR_MESSAGE_INVALID', message: expect.stringContaining('Empty response') }, []],
    ['bytes that are not its codec', [Buffer.concat(encodeTwoPart(undefined, Buffer.from('{')))], { code: 'ERR_MESSAGE_INVALID' }, []],
    ['an item that is no object', [dataFrame({ data: 7, complete_final: false })], { code: 'ERR_MESSAGE_INVALID' }, []],
    ['a stop of its own', [itemFrame(1), headerFrame(Buffer.from('"stop"'))], { code: 'ERR_WORKER_PROTOCOL' }, [1]],
    ['a sentinel with data', [Buffer.concat(encodeTwoPart(Buffer.from('"sentinel"'), Buffer.from('x')))], { code: 'ERR_WORKER_PROTOCOL' }, []],
    ['a sentinel before the final frame', [itemFrame(1), SENTINEL], { code: 'ERR_STREAM_INCOMPLETE' }, [1]],
    ['an error item', [itemFrame(1), dataFrame({ data: { event: 'error', error: { error_type: { Backend: 'EngineShutdown' }, message: 'bye' } }, complete_final: false })], { code: 'ERR_WORKER_ERROR', errorType: 'engine_shutdown', message: 'bye' }, [1]],
    ['a bare event `error`', [dataFrame({ data: { event: 'error', comment: ['a', 'b'] }, complete_final: false })], { code: 'ERR_WORKER_ERROR', errorType: 'unknown', message: 'a, b' }, []],
  ];

  it.each(CASES)('with %s fails the stream', async (_what, frames, expected, items) => {
    const stream = await open(await scripted(PROLOGUE, Buffer.concat(frames)));
    const seen: unknown[] = [];
    expect(await failure((async () => { for await (const item of stream) seen.push(item); })())).toMatchObject(expected);
    expect(seen).toEqual(items);
  });

  it('is heard to the end where whole items are wanted', async () => {
    const stream = await open(await scripted(PROLOGUE, Buffer.concat(encodeTwoPart(undefined, Buffer.from('{'))), itemFrame(1), FINAL, SENTINEL), { annotated: true });
    await expect(collect(stream)).resolves.toEqual([{ event: 'error', error: { errorType: 'unknown', message: 'the message is not JSON' } }, { data: 1 }]);
  });

  it.each<[string, Buffer, Record<string, unknown>]>([
    ['an error', headerFrame(encodePrologue({ error: 'Generate Error: x' })), { code: 'ERR_GENERATE_FAILED', prologue: 'Generate Error: x' }],
    ['a typed error', headerFrame(encodePrologue({ typedError: { errorType: 'resource_exhausted', message: 'x' } })), { code: 'ERR_GENERATE_FAILED', errorType: 'resource_exhausted' }],
    ['something else', itemFrame(1), { code: 'ERR_WORKER_PROTOCOL' }],
  ])('or begins with %s does not open a stream', async (_what, first, expected) => {
    expect(await failure(open(await scripted(first)))).toMatchObject(expected);
  });

  it('by a frame over the limit fails with ERR_WORKER_PROTOCOL before it is buffered', async () => {
    const address = await scripted(PROLOGUE, Buffer.concat(encodeTwoPart(undefined, Buffer.alloc(2000))).subarray(0, 40));
    const stream = await makeClient({ maxMessageSize: 1000 }).openStream(address, 1);
    expect(await failure(collect(stream))).toMatchObject({ code: 'ERR_WORKER_PROTOCOL', limit: 1000 });
  });
});

it('a second call home for one response is turned away', async () => {
  const worker = await rawWorker((_frame, socket, control) => {
    socket.write(ACCEPT);
    void (async () => {
      const home = await dialHome(control);
      const second = await dialHome(control);
      await once(second.resume(), 'end');
      home.write(Buffer.concat([PROLOGUE, itemFrame(1), FINAL, SENTINEL]));
    })();
  });
  await expect(collect(await open(worker.address))).resolves.toEqual([1]);
});
