import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from '@jest/globals';
import { FileDiscovery, RequestPlaneClient, RequestPlaneServer, Router, type PayloadCodecName, type RequestPlaneClientOptions, type RequestPlaneServerOptions, type RouterOptions, type ServedEndpoint } from 'dynamo-tracing/transport';
import { makeHandler } from './handler.js';
import type { Line } from './python.js';

/** Everything of ours that a group of tests needs, closed after them in the opposite order. */
export class House {
  readonly store = mkdtempSync(join(tmpdir(), 'dynamo-interop-'));
  readonly discovery = new FileDiscovery({ root: this.store, rescanMs: 50, logger: false });
  readonly #closing: (() => unknown)[] = [];

  constructor() {
    this.onClose(() => rmSync(this.store, { recursive: true, force: true }));
    this.onClose(() => this.discovery.close());
    afterAll(async () => {
      for (const close of this.#closing.reverse()) await close();
    });
  }

  onClose(close: () => unknown): void {
    this.#closing.push(close);
  }

  client(options: RequestPlaneClientOptions = {}): RequestPlaneClient {
    const client = new RequestPlaneClient({ responseHost: '127.0.0.1', logger: false, env: {}, ...options });
    this.onClose(() => client.close());
    return client;
  }

  /** A router that finds its workers through the store. */
  router(endpoint: string, options: Partial<RouterOptions> = {}): Router {
    const router = new Router({ client: this.client(), discovery: this.discovery, endpoint, logger: false, inhibitedMs: 0, env: {}, ...options });
    this.onClose(() => router.close());
    return router;
  }

  async server(options: RequestPlaneServerOptions = {}): Promise<RequestPlaneServer> {
    const server = new RequestPlaneServer({ host: '127.0.0.1', logger: false, env: {}, ...options });
    await server.listen();
    this.onClose(() => server.close({ graceMs: 0 }));
    return server;
  }

  /** Serves an endpoint like worker.py and announces it; `lines` hears what happens to its requests. */
  async serve(name: string, codec: PayloadCodecName, options: RequestPlaneServerOptions = {}): Promise<Served> {
    const lines: Line[] = [];
    const endpoint = (await this.server(options)).endpoint(name, makeHandler((line) => lines.push(line)));
    await this.announce(endpoint, codec);
    return { endpoint, lines };
  }

  async announce({ namespace, component, endpoint, instanceId, address }: Pick<ServedEndpoint, 'namespace' | 'component' | 'endpoint' | 'instanceId' | 'address'>, codec: PayloadCodecName): Promise<void> {
    await this.discovery.announce({ namespace, component, endpoint, instanceId, transport: { tcp: address.replace(/^tcp:\/\//, '') }, codec });
  }
}

export interface Served {
  readonly endpoint: ServedEndpoint;
  readonly lines: readonly Line[];
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** What `items` gave and what it threw then; it has to throw. */
export async function failing(items: AsyncIterable<unknown>): Promise<{ readonly items: readonly unknown[]; readonly error: unknown }> {
  const all: unknown[] = [];
  try {
    for await (const item of items) all.push(item);
  } catch (error) {
    return { items: all, error };
  }
  throw new Error(`no error was thrown after ${all.length} items`);
}

/** Values that wire formats like to lose. */
export const DELICATE = { u64: 2n ** 64n - 1n, i64: -(2n ** 63n), safe: 2 ** 53 - 1, negative: -5, float: 1.5, tiny: 5e-324, text: 'né😀\u0000\u2028 𐍈 日本語', nothing: null, yes: true, list: [1, [2, {}]], '': 'empty key' };
