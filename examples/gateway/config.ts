/** Where the gateway finds its workers. */
export interface WorkerAddresses {
  readonly decode: readonly string[];
  readonly prefill: readonly string[];
}

export interface GatewayConfig {
  readonly port: number;
  readonly host: string;
  readonly mode: 'aggregated' | 'disaggregated';
  /** Undefined: workers run in this process. */
  readonly workers: WorkerAddresses | undefined;
  /** An OpenAI-compatible base URL to proxy to instead of workers. */
  readonly upstream: string | undefined;
  /** Ask the upstream for usage in streams of clients that did not, and hide it from them again. */
  readonly upstreamUsage: boolean;
  readonly model: string;
  readonly tokenDelayMs: number;
  /** Longest wait from a worker's acknowledgement to the beginning of its answer; 0 is for ever. */
  readonly workerTimeoutMs: number;
  /** Workers are found as Dynamo's variables say: in its file store or etcd. */
  readonly discovery: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads the variables of the README's table. Throws with the variable's name when one cannot be used. */
export function readConfig(env: Env = process.env): GatewayConfig {
  const mode = env['GATEWAY_MODE'] ?? 'aggregated';
  if (mode !== 'aggregated' && mode !== 'disaggregated') throw new Error(`GATEWAY_MODE must be aggregated or disaggregated, got ${JSON.stringify(mode)}`);
  const upstream = env['GATEWAY_UPSTREAM'];
  if (upstream !== undefined && !URL.canParse(upstream)) throw new Error(`GATEWAY_UPSTREAM must be a URL, got ${JSON.stringify(upstream)}`);
  return {
    port: integer(env, 'PORT', 8000, 65535),
    host: env['HOST'] ?? '127.0.0.1',
    mode,
    workers: readWorkers(env['GATEWAY_WORKERS'], mode),
    upstream,
    upstreamUsage: env['GATEWAY_UPSTREAM_USAGE'] === '1',
    model: env['MODEL'] ?? 'mock-model',
    tokenDelayMs: integer(env, 'MOCK_TOKEN_DELAY_MS', 2, 60_000),
    workerTimeoutMs: integer(env, 'GATEWAY_WORKER_TIMEOUT_MS', 10_000, 2 ** 31 - 1),
    discovery: (env['DYN_DISCOVERY_BACKEND'] ?? '') !== '',
  };
}

/** `tcp://host:port/path` between commas; in disaggregated mode each has `prefill=` or `decode=` before it. */
function readWorkers(text: string | undefined, mode: GatewayConfig['mode']): WorkerAddresses | undefined {
  if (text === undefined || text.trim() === '') return undefined;
  const found = { decode: [] as string[], prefill: [] as string[] };
  for (const piece of text.split(',').map((part) => part.trim())) {
    const [, role = 'decode', address] = /^(?:(prefill|decode)=)?(tcp:\/\/\S+)$/.exec(piece) ?? [];
    if (address === undefined) throw new Error(`GATEWAY_WORKERS: ${JSON.stringify(piece)} is not [prefill=|decode=]tcp://host:port/path`);
    found[role as 'decode' | 'prefill'].push(address);
  }
  if (mode === 'disaggregated' && (found.prefill.length === 0 || found.decode.length === 0)) throw new Error('GATEWAY_WORKERS needs a prefill= and a decode= address in disaggregated mode');
  return found;
}

function integer(env: Env, name: string, fallback: number, max: number): number {
  const text = env[name]?.trim();
  if (text === undefined || text === '') return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > max) throw new Error(`${name} must be an integer from 0 to ${max}, got ${JSON.stringify(text)}`);
  return value;
}
