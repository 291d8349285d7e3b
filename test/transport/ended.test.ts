import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { encodeAck, Router, type ResponseStream, type StreamOptions } from 'dynamo-tracing/transport';
import { ACCEPT, cleanUp, dialHome, failure, FINAL, itemFrame, listen, makeClient, PROLOGUE, rawWorker, SENTINEL, serve } from './support';

afterEach(cleanUp);

/** A stream of a worker written by hand, with the worker's socket. */
async function opened(options: StreamOptions = {}): Promise<{ stream: ResponseStream; home: Socket }> {
  let home: Socket | undefined;
  const { address } = await rawWorker((_frame, socket, control) => {
    socket.write(ACCEPT);
    void dialHome(control).then((dialled) => (home = dialled).write(PROLOGUE));
  });
  const stream = await makeClient().openStream(address, 1, options);
  return { stream, home: home! };
}

describe('an item that arrives in one piece with the failure behind it', () => {
  it('is delivered to the call that waits for it, and the failure to the next', async () => {
    const { stream, home } = await opened();
    const waiting = [stream.next(), stream.next()] as const;
    const settled = Promise.allSettled(waiting);
    home.write(Buffer.concat([itemFrame(1), Buffer.alloc(64, 0xff)])); // a frame over every limit
    expect(await settled).toMatchObject([{ status: 'fulfilled', value: { done: false, value: 1 } }, { status: 'rejected', reason: { code: 'ERR_WORKER_PROTOCOL' } }]);
  });
});

describe('`ended` of a stream that nobody asks for more', () => {
  it('settles when the worker has completed it', async () => {
    const { stream, home } = await opened();
    home.write(Buffer.concat([itemFrame(1), FINAL, SENTINEL]));
    await expect(stream.next()).resolves.toEqual({ done: false, value: 1 });
    await expect(stream.ended).resolves.toEqual({ outcome: 'complete' });
    await expect(stream.next()).resolves.toEqual({ done: true, value: undefined });
  });

  it('settles when the worker said that it is complete and then nothing, and its socket is closed', async () => {
    const { stream, home } = await opened();
    home.write(FINAL);
    await expect(stream.ended).resolves.toEqual({ outcome: 'complete' });
    if (!home.readableEnded) await once(home.resume(), 'end');
  });

  it('settles when the worker is gone, and the next call to `next` still throws', async () => {
    const { stream, home } = await opened();
    home.destroy();
    await expect(stream.ended).resolves.toMatchObject({ outcome: 'error', error: { code: 'ERR_STREAM_INCOMPLETE' } });
    expect(await failure(stream.next())).toMatchObject({ code: 'ERR_STREAM_INCOMPLETE' });
    await expect(stream.next()).resolves.toEqual({ done: true, value: undefined });
  });

  it('settles when it was stopped and the worker closes', async () => {
    const { stream, home } = await opened();
    stream.stop();
    home.end();
    await expect(stream.ended).resolves.toEqual({ outcome: 'cancelled', signal: 'stop' });
  });

  it('settles when it is cancelled, and the item that had come is not given out any more', async () => {
    const { stream, home } = await opened();
    home.write(Buffer.concat([itemFrame(1), itemFrame(2)]));
    await stream.next();
    stream.cancel();
    await expect(stream.ended).resolves.toEqual({ outcome: 'cancelled', signal: 'kill' });
    expect(await failure(stream.next())).toMatchObject({ code: 'ERR_CANCELLED' });
  });

  it('waits for the items that came before the end to be read', async () => {
    const { stream, home } = await opened();
    home.end(Buffer.concat([itemFrame(1), itemFrame(2), FINAL, SENTINEL]));
    const order: string[] = [];
    const ended = stream.ended.then(() => order.push('ended'));
    for (let n = 1; n <= 2; n += 1) {
      await stream.next();
      order.push(`item ${n}`);
    }
    await ended;
    expect(order).toContain('ended');
    expect(order[0]).toBe('item 1');
  });
});

describe('`ended` of a routed stream that was never begun', () => {
  const router = async (): Promise<Router> => {
    const worker = await serve(async function* () { yield 1; });
    return new Router({ client: makeClient(), addresses: [worker.address], logger: false, env: {} });
  };

  it('settles when its signal aborts, and `next` throws ERR_CANCELLED', async () => {
    const abort = new AbortController();
    const stream = (await router()).generate(1, { signal: abort.signal });
    abort.abort();
    await expect(stream.ended).resolves.toEqual({ outcome: 'cancelled', signal: 'kill' });
    expect(await failure(stream.next())).toMatchObject({ code: 'ERR_CANCELLED' });
  });

  it('settles when it is left', async () => {
    const stream = (await router()).generate(1);
    await stream.return();
    await expect(stream.ended).resolves.toEqual({ outcome: 'cancelled', signal: 'stream_drop' });
  });
});

it('an ack is kept up to its first 1024 bytes', async () => {
  const { address } = await listen((socket) => socket.once('data', () => socket.write(encodeAck(`Server overloaded: ${'x'.repeat(1_000_000)}`))));
  const error = await failure(makeClient().send(address, {}, [Buffer.from('x')]));
  expect(error).toMatchObject({ code: 'ERR_WORKER_OVERLOADED' });
  expect(error['ack']).toHaveLength(1024);
  expect(String(error['message']).length).toBeLessThan(1200);
});
