import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { encodeControlMessage, encodeTwoPart, type EndpointHandler, type RequestContext, type StreamEnd } from 'dynamo-tracing/transport';
import { RecordTap } from '../support/records';
import { until } from '../support/until';
import { ACCEPT, afterTest, cleanUp, collect, dialHome, failure, FINAL, FrameTap, itemFrame, listen, makeClient, PROLOGUE, rawWorker, serve, watchedNetwork } from './support';

afterEach(cleanUp);

/** An envelope of a request whose caller listens on this port. */
function envelopeFor(port: number): Uint8Array[] {
  const connectionInfo = { host: '127.0.0.1', port, subject: 's', context: 'r', streamType: 'response' as const };
  return encodeTwoPart(encodeControlMessage({ id: 'r', requestType: 'single_in', responseType: 'many_out', payloadCodec: 'json', metadata: {}, connectionInfo }), Buffer.from('1'));
}

/** A worker that yields numbers until it is stopped or killed, one for each turn of the event loop. */
async function endless(): Promise<{ address: string; contexts: RequestContext[]; ends: string[] }> {
  const contexts: RequestContext[] = [];
  const ends: string[] = [];
  const worker = await serve(async function* (_request, context) {
    contexts.push(context);
    try {
      for (let i = 0; !context.stopped; i += 1) {
        yield i;
        await new Promise((resolve) => setImmediate(resolve));
      }
      yield 'last words';
      ends.push('returned');
    } finally {
      ends.push(`${context.stopped ? 'stopped' : ''} ${context.killed ? 'killed' : ''} ${context.signal.aborted ? 'aborted' : ''}`);
    }
  });
  return { address: worker.address, contexts, ends };
}

describe('the caller', () => {
  it('leaves the loop: the worker is killed', async () => {
    const worker = await endless();
    const stream = await makeClient().openStream<number>(worker.address, 1);
    for await (const item of stream) if (item === 3) break;
    await expect(stream.ended).resolves.toEqual({ outcome: 'cancelled', signal: 'stream_drop' });
    await until('the handler ended', () => worker.ends.includes('stopped killed aborted'));
  });

  it('aborts: a waiting next() throws ERR_CANCELLED and the worker is killed', async () => {
    let context: RequestContext | undefined;
    const worker = await serve(async function* (_request, given) {
      context = given;
      yield 1;
      await new Promise((resolve) => given.signal.addEventListener('abort', resolve));
    });
    const abort = new AbortController();
    const stream = await makeClient().openStream(worker.address, 1, { signal: abort.signal });
    await stream.next();
    const waiting = failure(stream.next());
    abort.abort(new Error('changed my mind'));
    expect(await waiting).toMatchObject({ code: 'ERR_CANCELLED', cause: { message: 'changed my mind' } });
    await expect(stream.next()).resolves.toMatchObject({ done: true });
    await expect(stream.ended).resolves.toEqual({ outcome: 'cancelled', signal: 'kill' });
    await until('the handler was told', () => context?.killed === true);
    await until('nothing in flight', () => worker.inFlight === 0);
  });

  it('aborts before the prologue: the worker that has called is told', async () => {
    const homes: FrameTap[] = [];
    const abort = new AbortController();
    const tap = watchedNetwork();
    const worker = await rawWorker((_frame, socket, control) => {
      socket.write(ACCEPT);
      void dialHome(control).then((home) => homes.push(new FrameTap(home)));
    });
    const opening = failure(makeClient({ network: tap.network }).openStream(worker.address, 1, { signal: abort.signal }));
    await until('its handshake has been read', () => homes.length === 1 && (tap.accepted[0] as Socket | undefined)?.bytesRead === homes[0]!.socket.bytesWritten);
    abort.abort();
    expect(await opening).toMatchObject({ code: 'ERR_CANCELLED' });
    await expect(homes[0]!.next()).resolves.toBe('"kill"');
  });

  it('aborts before the worker calls: it is told when it does', async () => {
    const abort = new AbortController();
    let call: (() => Promise<Socket>) | undefined;
    const worker = await rawWorker((_frame, socket, control) => {
      call = () => dialHome(control);
      socket.write(ACCEPT);
    });
    const opening = failure(makeClient().openStream(worker.address, 1, { signal: abort.signal }));
    await until('the request', () => call !== undefined);
    abort.abort();
    expect(await opening).toMatchObject({ code: 'ERR_CANCELLED' });
    await expect(new FrameTap(await call!()).next()).resolves.toBe('"kill"');
  });

  it('aborts before the call: nothing is sent', async () => {
    const signal = AbortSignal.abort();
    expect(await failure(makeClient().openStream('127.0.0.1:9/x', 1, { signal }))).toMatchObject({ code: 'ERR_CANCELLED' });
  });

  it('stops: what the worker still sends is read, and the end is clean', async () => {
    const worker = await endless();
    const stream = await makeClient().openStream<number | string>(worker.address, 1);
    await stream.next();
    stream.stop();
    const rest = await collect(stream);
    expect(rest.at(-1)).toBe('last words');
    await expect(stream.ended).resolves.toEqual({ outcome: 'cancelled', signal: 'stop' });
    expect(worker.ends).toEqual(['returned', 'stopped  aborted']);
  });

  it('stops a worker that then says nothing more, as Dynamo does: the end is clean', async () => {
    const worker = await rawWorker((_frame, socket, control) => {
      socket.write(ACCEPT);
      void dialHome(control).then((home) => {
        home.write(Buffer.concat([PROLOGUE, itemFrame(1)]));
        const tap = new FrameTap(home);
        void tap.next().then((told) => {
          if (told === '"stop"') void tap.next().then((end) => end === undefined && home.end());
        });
      });
    });
    const stream = await makeClient().openStream(worker.address, 1);
    await stream.next();
    stream.stop();
    await expect(collect(stream)).resolves.toEqual([]);
    await expect(stream.ended).resolves.toEqual({ outcome: 'cancelled', signal: 'stop' });
  });

  it('closes the client: the stream fails and the worker is killed', async () => {
    const worker = await endless();
    const client = makeClient();
    const stream = await client.openStream(worker.address, 1);
    await stream.next();
    const rest = failure(collect(stream));
    await client.close();
    expect(await rest).toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
    await until('the handler ended', () => worker.ends.length > 0);
  });

  it('cancels a request that the worker has finished: nothing breaks', async () => {
    const worker = await serve(async function* () { yield 1; });
    const stream = await makeClient().openStream(worker.address, 1);
    await collect(stream);
    stream.cancel();
    stream.stop();
    await stream.return();
    await expect(stream.ended).resolves.toEqual({ outcome: 'complete' } satisfies StreamEnd);
  });
});

describe('the worker', () => {
  it.each<[string, (home: FrameTap) => void]>([
    ['a kill', (home) => home.socket.write(Buffer.concat([Buffer.from('0000000000000006' + '0'.repeat(32), 'hex'), Buffer.from('"kill"')]))],
    ['a caller that is gone', (home) => home.socket.destroy()],
    ['a caller that resets', (home) => home.socket.resetAndDestroy()],
    ['data from the caller', (home) => home.socket.write(itemFrame(1))],
    ['a frame over the limit from the caller', (home) => home.socket.write(Buffer.alloc(24, 0xff))],
  ])('takes %s for a kill, with one record', async (_what, act) => {
    const tap = new RecordTap();
    afterTest(() => tap.stop());
    const homes: FrameTap[] = [];
    const { port } = await listen((socket) => homes.push(new FrameTap(socket)));
    const worker = await endless();
    await makeClient().send(worker.address, {}, envelopeFor(port));
    await until('a call home', () => homes.length === 1);
    await homes[0]!.next();
    await homes[0]!.next();
    await homes[0]!.next();
    act(homes[0]!);
    await until('the handler ended', () => worker.ends.length > 0);
    expect(worker.ends).toEqual(['stopped killed aborted']);
    expect(await tap.next('request completed')).toMatchObject({ level: 'info', status: 'cancelled', error_type: 'cancelled' });
    await until('the socket is closed', () => homes[0]!.closed);
    expect(tap.of('request completed')).toHaveLength(1);
  });

  it('gives up a caller that cannot be reached, with a record', async () => {
    const tap = new RecordTap();
    afterTest(() => tap.stop());
    const worker = await serve(async function* () { yield 1; });
    await makeClient().send(worker.address, {}, envelopeFor(1));
    expect(await tap.next('request completed')).toMatchObject({ level: 'error', status: 'error', error_type: 'unavailable' });
  });
});

describe('a slow consumer', () => {
  it('slows the worker down; what is in between stays bounded', async () => {
    const item = 'x'.repeat(10_000);
    let produced = 0;
    const caller = watchedNetwork();
    const { dialled, network } = watchedNetwork();
    const worker = await serve(async function* () {
      for (; produced < 6000; produced += 1) yield item;
    }, { network });
    const stream = await makeClient({ network: caller.network }).openStream(worker.address, 1);
    await stream.next();
    await until('the caller has stopped reading and the worker waits', () => caller.accepted[0]!.isPaused() && dialled[0]!.writableNeedDrain);
    let read = 1;
    let most = 0;
    for await (const got of stream) {
      most = Math.max(most, produced - read);
      read += got === item ? 1 : NaN;
    }
    // Kernel buffers of both ends and our own: far below the 60 MB that are on offer.
    expect(most).toBeLessThan(3000);
    expect(read).toBe(6000);
  });

  it('gets items in order across the pause', async () => {
    const worker = await serve(async function* () { for (let i = 0; i < 5000; i += 1) yield { i, pad: 'p'.repeat(300) }; });
    let expected = 0;
    const { accepted, network } = watchedNetwork();
    for await (const { i } of makeClient({ network }).generate<{ i: number }>(worker.address, 1)) {
      expect(i).toBe(expected);
      expected += 1;
      if (i === 0 || i === 2000) await until('the caller has stopped reading', () => accepted[0]!.isPaused());
    }
    expect(expected).toBe(5000);
  });
});

it('the final frame of FINAL is what the worker of this package writes', async () => {
  const homes: FrameTap[] = [];
  const { port } = await listen((socket) => homes.push(new FrameTap(socket)));
  const worker = await serve(async function* () { yield { x: 1 }; });
  await makeClient().send(worker.address, {}, envelopeFor(port));
  await until('a call home', () => homes.length === 1);
  const frames: (string | undefined)[] = [];
  for (let i = 0; i < 5; i += 1) frames.push(await homes[0]!.next());
  expect(frames).toEqual(['{"subject":"s","stream_type":"response"}', '{"error":null}', '{"data":{"data":{"x":1}},"complete_final":false}', '{"complete_final":true}', '"sentinel"']);
  expect(FINAL.subarray(24).toString()).toBe(frames[3]);
});

describe('a handler that never settles', () => {
  let begun = 0;
  const never = (): Promise<never> => new Promise(() => (begun += 1));

  it.each<[string, EndpointHandler<string, string>]>([
    ['in its stream', async function* (name) { if (name === 'hang') await never(); yield name; }],
    ['before it', (name) => (name === 'hang' ? never() : [name])],
    ['with its caller told a part', async function* (name) { yield name; if (name === 'hang') await never(); }],
  ])('%s gives its place back after a kill and the grace', async (_where, handler) => {
    const warnings: string[] = [];
    begun = 0;
    const logger = { debug: () => undefined, info: () => undefined, error: () => undefined, warn: (_fields: object | string, message?: string) => void warnings.push(String(message)) };
    const worker = await serve(handler, { workerPoolSize: 1, killGraceMs: 20, logger });
    const client = makeClient();
    const abort = new AbortController();
    const hanging = failure(collect(client.generate(worker.address, 'hang', { signal: abort.signal })));
    await until('it has begun', () => begun === 1);
    const next = collect(client.generate(worker.address, 'next'));
    await until('the next one waits', () => worker.inFlight === 2);
    abort.abort();
    expect(await hanging).toMatchObject({ code: 'ERR_CANCELLED' });
    expect(await next).toEqual(['next']);
    await until('nothing is in flight', () => worker.inFlight === 0);
    expect(warnings).toEqual(['a handler goes on after its request was killed: its place is given to others']);
  });

  it('holds its place as long as nobody has killed it', async () => {
    let release!: () => void;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const order: string[] = [];
    const worker = await serve(async function* (name: string) { if (name === 'slow') await gate; order.push(name); yield await Promise.resolve(name); }, { workerPoolSize: 1, killGraceMs: 0 });
    const client = makeClient();
    const slow = collect(client.generate(worker.address, 'slow'));
    await until('it has begun', () => worker.inFlight === 1);
    const next = collect(client.generate(worker.address, 'next'));
    await until('the next one waits', () => worker.inFlight === 2);
    release();
    await Promise.all([slow, next]);
    expect(order).toEqual(['slow', 'next']);
  });
});
