import { FileDiscovery, RequestPlaneServer, type PayloadCodecName } from 'dynamo-tracing/transport';
import { jsonText } from '../../../src/protocol/index.js';
import { makeHandler } from './handler.js';
import type { Line } from './python.js';

// A worker of ours in a process of its own, to be killed: node --import tsx our-worker.ts <endpoint> <codec> <store>
const [name = '', codec = 'json', root = ''] = process.argv.slice(2);
const say = (line: Line): void => void process.stdout.write(`${jsonText(line)}\n`);

void (async () => {
  const server = new RequestPlaneServer({ host: '127.0.0.1', logger: false, env: {} });
  await server.listen();
  const { namespace, component, endpoint, instanceId, address } = server.endpoint(name, makeHandler(say));
  await new FileDiscovery({ root, logger: false }).announce({ namespace, component, endpoint, instanceId, transport: { tcp: address.slice('tcp://'.length) }, codec: codec as PayloadCodecName });
  say({ event: 'ready' });
})();
