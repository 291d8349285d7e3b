import { describe, expect, it } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { MemoryNetwork } from 'dynamo-tracing/harness';
import { tcpNetwork, type Network } from 'dynamo-tracing/transport';

/** The two ends of a connection. */
async function pair(network: Network): Promise<{ near: Duplex; far: Duplex; close(): Promise<void> }> {
  const accepted = later<Duplex>();
  const listener = await network.listen('127.0.0.1', 0, accepted.resolve);
  const near = network.connect(listener);
  await once(near, 'connect');
  const far = await accepted.promise;
  near.on('error', () => undefined);
  far.on('error', () => undefined);
  return { near, far, close: () => (near.destroy(), far.destroy(), listener.close()) };
}

function later<T>(): { promise: Promise<T>; resolve(value: T): void } {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>((done) => (resolve = done));
  return { promise, resolve };
}

async function readAll(socket: Duplex): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

// What the transport relies on, held against real sockets and against those in memory.
describe.each<[string, () => Network]>([['TCP', () => tcpNetwork({ env: {} })], ['memory', () => new MemoryNetwork()]])('a connection over %s', (_name, make) => {
  it('carries what was written before it was open, in order', async () => {
    const network = make();
    const accepted = later<Duplex>();
    const listener = await network.listen('127.0.0.1', 0, accepted.resolve);
    const near = network.connect(listener);
    near.write('a');
    near.write('b');
    near.end('c');
    const far = await accepted.promise;
    expect(await readAll(far)).toBe('abc');
    far.end();
    await once(near.resume(), 'close');
    await listener.close();
  });

  it('ends its halves apart', async () => {
    const { near, far, close } = await pair(make());
    near.end('question');
    far.once('end', () => far.end('answer'));
    far.resume();
    expect(await readAll(near)).toBe('answer');
    await close();
  });

  it('holds a writer back that is faster than its reader', async () => {
    const { near, far, close } = await pair(make());
    far.pause();
    const chunk = Buffer.alloc(1024 * 1024);
    for (let written = 0; near.write(chunk) && written < 64; written += 1);
    expect(near.writableNeedDrain).toBe(true);
    far.resume();
    await once(near, 'drain');
    await close();
  });

  it('may have its buffers used again once they are written', async () => {
    const { near, far, close } = await pair(make());
    const buffer = Buffer.from('one');
    await new Promise((resolve) => near.write(buffer, resolve));
    buffer.write('two');
    expect(String((await once(far, 'data') as [Buffer])[0])).toBe('one');
    await close();
  });

  it('shows the other end that it was destroyed', async () => {
    const { near, far, close } = await pair(make());
    far.resume();
    near.destroy();
    await once(far, 'end');
    expect(far.destroyed).toBe(false);
    await close();
  });

  it('carries bytes and no async context: what the server does is not in the context of the client', async () => {
    const store = new AsyncLocalStorage<string>();
    const network = make();
    const seen: string[] = [];
    const note = (what: string): void => void seen.push(`${what} ${store.getStore() === 'client' ? 'in' : 'outside'} the client's context`);
    const listener = await store.run('server', () => network.listen('127.0.0.1', 0, (far) => {
      note('accepted');
      far.on('data', () => {
        note('question');
        far.end('answer');
      });
    }));
    const near = store.run('client', () => network.connect(listener));
    near.on('data', () => note('answer'));
    await store.run('client', () => once(near, 'connect').then(() => near.end('question')));
    await once(near, 'end');
    expect(seen).toEqual(['accepted outside the client\'s context', 'question outside the client\'s context', 'answer in the client\'s context']);
    await listener.close();
  });

  it('breaks as a process that dies does', async () => {
    const { near, far, close } = await pair(make());
    const failed = once(far, 'error') as Promise<[NodeJS.ErrnoException]>;
    far.resume();
    (near as Duplex & { resetAndDestroy(): void }).resetAndDestroy();
    expect((await failed.catch((error: unknown) => [error as NodeJS.ErrnoException]))[0].code).toBe('ECONNRESET');
    if (!far.closed) await once(far, 'close');
    await close();
  });

  it('is refused where nobody listens, and not opened twice at one address', async () => {
    const network = make();
    const listener = await network.listen('127.0.0.1', 0, () => undefined);
    await expect(network.listen('127.0.0.1', listener.port, () => undefined)).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await listener.close();
    const socket = network.connect(listener);
    await expect(once(socket, 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    if (!socket.closed) await once(socket, 'close');
  });
});

it('two memory networks do not see each other', async () => {
  const [a, b] = [new MemoryNetwork(), new MemoryNetwork()];
  const listener = await a.listen('127.0.0.1', 0, () => undefined);
  await expect(once(b.connect(listener), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});
