import { Duplex } from 'node:stream';
import { FileDiscovery, RequestPlaneClient, type Network } from 'dynamo-tracing/transport';
import { readClientOptions, readServerOptions } from '../../src/transport/settings';

/** Of 100 callers in memory that say nothing: those that a client keeps. */
async function silentCallers(): Promise<number> {
  const callers = Array.from({ length: 100 }, () => new Duplex({ read: () => undefined }));
  await new Promise<void>((resolve) => {
    const network: Network = {
      connect: () => new Duplex({ read: () => undefined }),
      listen: (host, port, onConnection) => {
        callers.forEach((caller) => onConnection(caller));
        resolve();
        return Promise.resolve({ host, port, close: () => Promise.resolve() });
      },
    };
    void new RequestPlaneClient({ network, responseHost: '127.0.0.1', logger: false, env: {} }).openStream('127.0.0.1:9/x', 1).catch(() => undefined);
  });
  return callers.filter(({ destroyed }) => !destroyed).length;
}

// Run by few-descriptors.test.ts in a process that may open few files: reads a store, and says what the defaults and bounds are.
void (async () => {
  const discovery = new FileDiscovery({ root: process.argv[2], ttlMs: 600_000, logger: false, env: {} });
  const instances = await discovery.instances('dynamo.backend.generate').then(({ length }) => length, (error: unknown) => String(error));
  const { poolSize, connectLimit } = readClientOptions({ env: {} });
  const { workerPoolSize, maxConnections, callHomeConnectLimit } = readServerOptions({ env: {} });
  const text = JSON.stringify({ instances, poolSize, connectLimit, workerPoolSize, maxConnections, callHomeConnectLimit, silentCallers: await silentCallers() });
  process.stdout.write(text, () => process.exit());
})();
