import { enumOption, envInteger, functionOption, invalidOption, numberOption, optionalOption, readOptions, type Environment, type OptionReader } from '../../internal/index.js';
import { readLogger, type LoggerOption } from '../../logging/index.js';
import type { PayloadCodecName } from '../../protocol/index.js';
import type { AttributeSet } from '../../spans/index.js';
import { endpointText, readEndpointName, type EndpointName } from '../discovery/index.js';
import { attributesOption, envOption } from '../settings.js';
import type { StreamClient } from '../types.js';
import { ROUTER_MODES, type RouterMode } from './selection.js';
import { readStaticWorkers, type StaticWorker, type WorkerDiscovery } from './workers.js';

/** Options of a {@link Router}. It needs workers (`addresses`, or `discovery` with `endpoint`) and a client for their plane. */
export interface RouterOptions {
  /** Makes calls to workers of the TCP request plane. Workers that no client reaches are left out. */
  readonly client?: StreamClient | undefined;
  /** Makes calls to workers of the NATS request plane. */
  readonly natsClient?: StreamClient | undefined;
  /** Workers that do not change: `ip:port/endpoint_path`, `{ tcp }`, `{ nats_tcp }`, or instances. */
  readonly addresses?: readonly StaticWorker[] | undefined;
  /** Workers that come and go. The router watches it from the first request on and closes the watch, not the discovery. */
  readonly discovery?: WorkerDiscovery | undefined;
  /** `namespace.component.endpoint` to look for in `discovery`. */
  readonly endpoint?: string | EndpointName | undefined;
  /** How a worker is chosen; `direct` takes the `instanceId` of each request. Default 'round_robin'. */
  readonly mode?: RouterMode | undefined;
  /**
   * Retries of a request on other workers, as long as nothing has been delivered and the failure is the worker's. A worker
   * that fails after its acknowledgement may have begun: set 0 where handlers must not run twice. Default 3.
   */
  readonly migrationLimit?: number | undefined;
  /** Milliseconds that a failed worker is left alone while there are others; 0 never. Default DYN_RUNTIME_INHIBITED_DURATION_SECS (seconds), else 5000. */
  readonly inhibitedMs?: number | undefined;
  /** Codec for static addresses; instances name their own. Default 'json'. */
  readonly codec?: PayloadCodecName | undefined;
  /** Names of span attributes: Dynamo's, OpenTelemetry's semantic conventions, or both. Default 'both'. */
  readonly attributes?: AttributeSet | undefined;
  /** Where lines about attempts go: pino, Fastify's logger, `console`, or false. Default: standard error, by DYN_LOG and DYN_LOGGING_*. */
  readonly logger?: LoggerOption | undefined;
  /** Monotonic milliseconds for `inhibitedMs`; for tests. */
  readonly now?: (() => number) | undefined;
  /** Variables that the defaults are read from. Default process.env. */
  readonly env?: Environment | undefined;
}

const clientOption = optionalOption<StreamClient>('a client with openStream', (value) => hasMethod(value, 'openStream'));

const endpointOption: OptionReader<string | undefined> = (value, path) => (value === undefined ? undefined : endpointText(readEndpointName(value as string | EndpointName, path)));

function spec(env: Environment) {
  return {
    client: clientOption,
    natsClient: clientOption,
    addresses: optionalOption<readonly unknown[]>('an array of workers', (value) => Array.isArray(value)),
    discovery: optionalOption<WorkerDiscovery>('a discovery with watch', (value) => hasMethod(value, 'watch')),
    endpoint: endpointOption,
    mode: enumOption(ROUTER_MODES, 'round_robin'),
    migrationLimit: numberOption(3),
    inhibitedMs: numberOption(envInteger(env, 'DYN_RUNTIME_INHIBITED_DURATION_SECS', 5, { max: 2_000_000 }) * 1000),
    codec: enumOption(['json', 'msgpack'], 'json'),
    attributes: attributesOption(env),
    logger: readLogger,
    now: functionOption<() => number>(),
    env: envOption,
  };
}

/** Options as the router uses them. */
export type RouterSettings = ReturnType<typeof readRouterOptions>;

/** @throws ERR_OPTION_INVALID, ERR_ENV_INVALID, ERR_ADDRESS_INVALID */
export function readRouterOptions(options: RouterOptions) {
  const env = (options as RouterOptions | undefined)?.env ?? process.env;
  const read = readOptions('router', spec(env), options);
  const { addresses, discovery, endpoint, client, natsClient } = read;
  if (client === undefined && natsClient === undefined) throw invalidOption('router.client', 'given (or router.natsClient)', undefined);
  if ((addresses === undefined) === (discovery === undefined)) throw invalidOption('router.addresses', 'given, or router.discovery, and not both', addresses);
  if (discovery !== undefined && endpoint === undefined) throw invalidOption('router.endpoint', 'namespace.component.endpoint when there is a discovery', endpoint);
  const workers = discovery === undefined ? readStaticWorkers(addresses ?? [], read.codec, 'router.addresses') : { discovery, endpoint: endpoint ?? '' };
  return { ...read, clients: { tcp: client, nats: natsClient }, workers };
}

function hasMethod(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && typeof (value as Record<string, unknown>)[name] === 'function';
}
