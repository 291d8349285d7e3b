import { once } from 'node:events';
import { FileDiscovery, RequestPlaneServer } from 'dynamo-tracing/transport';
import { mockEngine, mockPrefill } from './engine.js';
import { startTelemetry } from './telemetry.js';

/** One worker as its own process, until SIGTERM or SIGINT. An endpoint of the `prefill` component serves prefill. */
async function main(): Promise<void> {
  const { LISTEN = '127.0.0.1:0', ENDPOINT = 'dynamo.backend.generate', MOCK_TOKEN_DELAY_MS = '2', DYN_DISCOVERY_BACKEND } = process.env;
  const at = LISTEN.lastIndexOf(':');
  const stopTelemetry = startTelemetry();
  const server = new RequestPlaneServer({ host: LISTEN.slice(0, at), port: Number(LISTEN.slice(at + 1)) });
  await server.listen();
  const endpoint = ENDPOINT.split('.')[1] === 'prefill' ? server.endpoint(ENDPOINT, mockPrefill) : server.endpoint(ENDPOINT, mockEngine(Number(MOCK_TOKEN_DELAY_MS)));
  const discovery = DYN_DISCOVERY_BACKEND === 'file' ? new FileDiscovery() : undefined;
  await discovery?.announce({ ...endpoint, transport: { tcp: endpoint.address.replace('tcp://', '') } });
  console.log(`worker listening on ${endpoint.address}`);

  await Promise.race(['SIGTERM', 'SIGINT'].map((name) => once(process, name)));
  await discovery?.close();
  await server.close();
  await stopTelemetry();
}

main().then(() => process.exit(0), (error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
