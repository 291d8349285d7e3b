import { FileDiscovery } from '../../../src/transport/discovery/index.js';

// Announces, watches, and has nothing more to do: run by file-discovery.test.ts, which waits for it to end by itself.
void (async () => {
  const discovery = new FileDiscovery({ root: process.argv[2] ?? '' });
  await discovery.announce({ namespace: 'dynamo', component: 'backend', endpoint: 'generate', instanceId: 77n, transport: { tcp: '127.0.0.1:9/4d/generate' } });
  const watch = await discovery.watch('dynamo.backend.generate');
  process.stdout.write(watch.instances.map(({ instanceId }) => instanceId).join());
})();
