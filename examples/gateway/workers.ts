import { FileDiscovery, RequestPlaneClient, RequestPlaneServer, Router } from 'dynamo-tracing/transport';
import { aggregated, disaggregated, type Backend } from './backend.js';
import type { GatewayConfig, WorkerAddresses } from './config.js';
import { mockEngine, mockPrefill } from './engine.js';

const DECODE_ENDPOINT = { aggregated: 'dynamo.backend.generate', disaggregated: 'dynamo.decode.generate' } as const;
const PREFILL_ENDPOINT = 'dynamo.prefill.generate';

/** Workers that the gateway can reach, and how to let go of them. */
export interface Fleet {
  readonly backend: Backend;
  close(): Promise<void>;
}

/** Workers as the configuration says: by address, by discovery, or started in this process. */
export async function connectWorkers(config: GatewayConfig): Promise<Fleet> {
  const client = new RequestPlaneClient();
  const server = config.workers === undefined && !config.discovery ? new RequestPlaneServer({ host: '127.0.0.1' }) : undefined;
  const discovery = config.discovery ? new FileDiscovery() : undefined;
  const addresses = config.workers ?? (server === undefined ? undefined : await startWorkers(server, config));
  const router = (endpoint: string, known: readonly string[] | undefined): Router =>
    discovery === undefined ? new Router({ client, addresses: known ?? [], migrationLimit: 1 }) : new Router({ client, discovery, endpoint, migrationLimit: 1 });

  const decode = router(DECODE_ENDPOINT[config.mode], addresses?.decode);
  return {
    backend: config.mode === 'aggregated' ? aggregated(decode) : disaggregated(router(PREFILL_ENDPOINT, addresses?.prefill), decode),
    close: async () => {
      await client.close();
      await server?.close();
      await discovery?.close();
    },
  };
}

async function startWorkers(server: RequestPlaneServer, { mode, tokenDelayMs }: GatewayConfig): Promise<WorkerAddresses> {
  await server.listen();
  const decode = server.endpoint(DECODE_ENDPOINT[mode], mockEngine(tokenDelayMs));
  const prefill = mode === 'disaggregated' ? [server.endpoint(PREFILL_ENDPOINT, mockPrefill).address] : [];
  return { decode: [decode.address], prefill };
}
