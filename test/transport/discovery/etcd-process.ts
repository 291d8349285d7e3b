import { EtcdDiscovery } from 'dynamo-tracing/transport';

// Announces, watches, and has nothing more to do: run by etcd-discovery.load.test.ts. With `stay` it lives until it is killed.
void (async () => {
  const [endpoints, stay] = process.argv.slice(2);
  const discovery = new EtcdDiscovery({ endpoints, ttlMs: 2000, env: {} });
  await discovery.announceModel({ namespace: 'dynamo', component: 'backend', endpoint: 'generate', instanceId: 77n, transport: { tcp: '127.0.0.1:9/4d/generate' } }, { name: 'm' });
  const watch = await discovery.watch('dynamo.backend.generate');
  process.stdout.write(watch.instances.map(({ instanceId }) => instanceId).join());
  if (stay === 'stay') setInterval(() => undefined, 1000);
})();
