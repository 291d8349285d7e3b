import { discoveryFromEnv, RequestPlaneClient, RequestPlaneServer, Router, type Discovery } from 'dynamo-tracing/transport';
import { aggregated, chatWorkers, disaggregated, type Backend } from './backend.js';
import type { GatewayConfig, WorkerAddresses } from './config.js';
import { mockEngine, mockPrefill } from './engine.js';

const DECODE_ENDPOINT = { aggregated: 'dynamo.backend.generate', disaggregated: 'dynamo.decode.generate' } as const;
const PREFILL_ENDPOINT = 'dynamo.prefill.generate';

/** Workers that the gateway can reach, and how to let go of them. */
export interface Fleet {
  readonly backend: Backend;
  close(): Promise<void>;
}

/** Workers as the configuration says: by address, by discovery, or started in this process. Throws when they expect requests that are not spoken here. */
export async function connectWorkers(config: GatewayConfig): Promise<Fleet> {
  const discovery = config.discovery ? discoveryFromEnv() : undefined;
  const takeChat = discovery !== undefined && await workersTakeChat(discovery, config);
  const client = new RequestPlaneClient({ prologueTimeoutMs: config.workerTimeoutMs });
  const server = config.workers === undefined && !config.discovery ? new RequestPlaneServer({ host: '127.0.0.1' }) : undefined;
  const addresses = config.workers ?? (server === undefined ? undefined : await startWorkers(server, config));
  const router = (endpoint: string, known: readonly string[] | undefined): Router =>
    discovery === undefined ? new Router({ client, addresses: known ?? [], migrationLimit: 1 }) : new Router({ client, discovery, endpoint, migrationLimit: 1 });

  const decode = router(DECODE_ENDPOINT[config.mode], addresses?.decode);
  return {
    backend: takeChat ? chatWorkers(decode) : config.mode === 'aggregated' ? aggregated(decode) : disaggregated(router(PREFILL_ENDPOINT, addresses?.prefill), decode),
    close: async () => {
      await client.close();
      await server?.close();
      await discovery?.close();
    },
  };
}

/** Reads from their model cards what the workers expect: OpenAI's requests, or without a card this example's own. */
async function workersTakeChat(discovery: Discovery, { mode, model }: GatewayConfig): Promise<boolean> {
  const endpoints = mode === 'aggregated' ? [DECODE_ENDPOINT.aggregated] : [DECODE_ENDPOINT.disaggregated, PREFILL_ENDPOINT];
  const served = (await Promise.all(endpoints.map((endpoint) => discovery.models(endpoint)))).flat();
  if (served.length === 0) return false;
  const wanted = served.find(({ name }) => name === model);
  if (wanted === undefined) throw new Error(`MODEL is ${model}; the workers of ${endpoints.join(' and ')} serve ${served.map(({ name }) => name).join(', ')}`);
  if (wanted.input === 'text' && mode === 'aggregated') return true;
  throw new Error(`The workers of ${endpoints.join(' and ')} expect ${wanted.input} (model_input of their model card); this gateway speaks ${mode === 'aggregated' ? 'text' : 'none of Dynamo\'s forms when disaggregated'}. `
    + 'Start a Dynamo frontend before them and set GATEWAY_UPSTREAM to its address');
}

async function startWorkers(server: RequestPlaneServer, { mode, tokenDelayMs }: GatewayConfig): Promise<WorkerAddresses> {
  await server.listen();
  const decode = server.endpoint(DECODE_ENDPOINT[mode], mockEngine(tokenDelayMs));
  const prefill = mode === 'disaggregated' ? [server.endpoint(PREFILL_ENDPOINT, mockPrefill).address] : [];
  return { decode: [decode.address], prefill };
}
