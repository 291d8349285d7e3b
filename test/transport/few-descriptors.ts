import { FileDiscovery } from 'dynamo-tracing/transport';
import { readClientOptions, readServerOptions } from '../../src/transport/settings';

// Run by few-descriptors.test.ts in a process that may open few files: reads a store, and says what the defaults are.
void (async () => {
  const discovery = new FileDiscovery({ root: process.argv[2], ttlMs: 600_000, logger: false, env: {} });
  const instances = await discovery.instances('dynamo.backend.generate').then(({ length }) => length, (error: unknown) => String(error));
  const { poolSize, connectLimit } = readClientOptions({ env: {} });
  const { workerPoolSize, maxConnections, callHomeConnectLimit } = readServerOptions({ env: {} });
  process.stdout.write(JSON.stringify({ instances, poolSize, connectLimit, workerPoolSize, maxConnections, callHomeConnectLimit }));
})();
