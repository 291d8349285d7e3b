import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { afterEach, expect, it } from '@jest/globals';
import type { Network } from 'dynamo-tracing/transport';
import { cleanUp, collect, makeClient, serve } from './support';

afterEach(cleanUp);

/** One end of a link in memory: what is written here is read there; both halves end apart. */
class LinkEnd extends Duplex {
  other!: LinkEnd;
  #resume: (() => void) | undefined;

  override _read(): void {
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.other.push(chunk)) done();
    else this.other.#resume = done;
  }

  override _final(done: () => void): void {
    this.other.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    setImmediate(() => this.other.destroy());
    done(error);
  }
}

/** Links in memory: no ports, no system calls. */
function memoryNetwork(): Network {
  const listeners = new Map<number, (socket: Duplex) => void>();
  return {
    connect: ({ port }) => {
      const [near, far] = [new LinkEnd(), new LinkEnd()];
      near.other = far;
      far.other = near;
      setImmediate(() => {
        const accept = listeners.get(port);
        if (accept === undefined) return void near.destroy(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
        accept(far);
        near.emit('connect');
      });
      return near;
    },
    listen: (host, port, onConnection) => {
      const bound = port === 0 ? 1000 + listeners.size : port;
      listeners.set(bound, onConnection);
      return Promise.resolve({ host, port: bound, close: () => Promise.resolve(void listeners.delete(bound)) });
    },
  };
}

it('client, server and response plane run over any Network', async () => {
  const network = memoryNetwork();
  const worker = await serve(async function* (n: number, context) {
    for (let i = 0; i < n && !context.stopped; i += 1) yield 'x'.repeat(1000);
  }, { network });
  const client = makeClient({ network });
  expect(await collect(client.generate(worker.address, 2000))).toHaveLength(2000);
  for await (const item of client.generate(worker.address, 1_000_000)) {
    expect(item).toHaveLength(1000);
    break;
  }
});

it('only network.ts opens sockets: beside it tls-settings.ts and the settings of etcd parse certificates and hosts.ts addresses, and nothing else touches node:net and node:tls', () => {
  const folder = join(__dirname, '../../src/transport');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const guilty = files.filter((name) => /from 'node:(net|tls)'/.test(readFileSync(join(folder, name), 'utf8')));
  expect(guilty.sort()).toEqual(['discovery/etcd/settings.ts', 'hosts.ts', 'network.ts', 'tls-settings.ts']);
});
