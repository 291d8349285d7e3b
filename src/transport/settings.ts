import { booleanOption, enumOption, envInteger, numberOption, optionalOption, readOptions, stringOption, TargetFilter, withinDescriptors, type Environment, type OptionReader, type OptionsOf } from '../internal/index.js';
import { readLogger, type LoggerOption } from '../logging/index.js';
import { DEFAULT_MAX_MESSAGE_SIZE } from '../protocol/index.js';
import { ATTRIBUTE_SETS, defaultSpanSettings, type AttributeSet, type SpanSettings } from '../spans/index.js';
import { durationOption } from './deadline.js';
import { hostFilterOption, isIpAddress, localIp, resolveHost, type HostFilter } from './hosts.js';
import { instanceIdOption } from './discovery/record.js';
import { tcpNetwork } from './network.js';
import type { Network, WorkerObserver } from './types.js';

/** What every part of the transport takes. */
export interface CommonOptions {
  /** Where connections come from. Default {@link tcpNetwork}: real sockets, TLS by the DYN_TCP_TLS_* variables. */
  readonly network?: Network | undefined;
  /** Where records go: pino, Fastify's logger, `console`, or false. Default: standard error, by DYN_LOG and DYN_LOGGING_*. */
  readonly logger?: LoggerOption | undefined;
  /** Names of span attributes: Dynamo's, OpenTelemetry's semantic conventions, or both. Default 'both'. */
  readonly attributes?: AttributeSet | undefined;
  /** Limit on a whole frame in bytes, both ways. Default DYN_TCP_MAX_MESSAGE_SIZE, else 33554432 (32 MiB). */
  readonly maxMessageSize?: number | undefined;
  /** Longest time to open a connection in milliseconds. Default DYN_TCP_CONNECT_TIMEOUT (seconds), else 5000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Variables that the defaults are read from. Default process.env. */
  readonly env?: Environment | undefined;
}

/** Options of everything that makes streamed calls, over TCP or NATS. */
export interface CallOptions extends CommonOptions {
  /**
   * Address that workers dial home to, bound and told to them. Default DYN_TCP_RESPONSE_STREAM_HOST (an IP address or the name
   * of an interface), else the first address of this machine that is not loopback.
   */
  readonly responseHost?: string | undefined;
  /** Port that workers dial home to. Default DYN_TCP_RESPONSE_STREAM_PORT, else 0: the system chooses. */
  readonly responsePort?: number | undefined;
  /** Longest time from a dialled socket to its handshake, in milliseconds. Default 10000, as in Dynamo. */
  readonly handshakeTimeoutMs?: number | undefined;
  /** Sockets dialled by workers whose stream has not begun, at one time; further ones are closed. Default 65536, at most half of the process's descriptors. */
  readonly maxCallsHome?: number | undefined;
  /**
   * Longest time from a worker's acknowledgement to its prologue, in milliseconds; 0 waits for ever, as Dynamo does. Default
   * 30000: a request may stand in the worker's queue, whereas a worker that has died never answers.
   */
  readonly prologueTimeoutMs?: number | undefined;
  /** Longest wait for the next item, in milliseconds; 0 waits for ever. Default DYN_HTTP_BACKEND_STREAM_TIMEOUT_SECS, else 0. */
  readonly inactivityTimeoutMs?: number | undefined;
}

/** Options of a {@link RequestPlaneClient}. */
export interface RequestPlaneClientOptions extends CallOptions {
  /** Longest time from a call to its acknowledgement, in milliseconds. Default DYN_TCP_REQUEST_TIMEOUT (seconds), else 5000. */
  readonly requestTimeoutMs?: number | undefined;
  /** Connections per host. Default DYN_TCP_POOL_SIZE, else 100, at most a quarter of the process's descriptors. */
  readonly poolSize?: number | undefined;
  /** Unacknowledged requests per connection. Default DYN_TCP_CHANNEL_BUFFER, else 1024. */
  readonly channelBuffer?: number | undefined;
  /** Connections being opened at one time, over all hosts. Default DYN_TCP_GLOBAL_CONNECT_LIMIT, else 64, at most a quarter of the process's descriptors. */
  readonly connectLimit?: number | undefined;
  /** Requests per host that wait for a connection with room; more fail with ERR_TOO_MANY_IN_FLIGHT. Default 10000. */
  readonly maxWaiting?: number | undefined;
  /** A host unused for so many milliseconds loses its connections. Default DYN_TCP_HOST_IDLE_TTL_SECS (seconds), else 300000. */
  readonly hostIdleMs?: number | undefined;
}

/** Options of a {@link RequestPlaneServer}. */
export interface RequestPlaneServerOptions extends CommonOptions {
  /** Id of this worker, under 2^64. Default: random. */
  readonly instanceId?: bigint | undefined;
  /** Requests handled at one time. Default DYN_ENGINE_REQUEST_LIMIT, else DYN_TCP_WORKER_POOL_SIZE, else 10000, at most half of the process's descriptors: each has a socket. */
  readonly workerPoolSize?: number | undefined;
  /**
   * Requests that wait for their turn; more are refused as overload. Default with DYN_ENGINE_REQUEST_LIMIT one less than
   * DYN_DYNAMO_REQUEST_QUEUE_LIMIT (16), else DYN_TCP_WORK_QUEUE_SIZE, else 40000.
   */
  readonly workQueueSize?: number | undefined;
  /**
   * Addresses of callers that this worker calls: IP addresses, networks as `10.0.0.0/8`, or a function that decides; requests of others
   * are refused. Default: any, since callers may have several addresses and NATS hides them all.
   */
  readonly callHomeHosts?: HostFilter | undefined;
  /** Connections being opened at one time to one caller's host; further ones wait within `connectTimeoutMs`. Default 256, at most a quarter of the process's descriptors. */
  readonly callHomeConnectLimit?: number | undefined;
  /** How long a handler may go on after its request was killed before its place is given to another request, in milliseconds. Default 10000. */
  readonly killGraceMs?: number | undefined;
  /** Longest wait for the caller's FIN after the last frame, in milliseconds. Default 10000, as in Dynamo. */
  readonly finTimeoutMs?: number | undefined;
  /** How long `close()` lets requests in flight go on, in milliseconds. Default DYN_RUNTIME_GRACEFUL_SHUTDOWN_TIMEOUT_SECS, else 900000. */
  readonly graceMs?: number | undefined;
  /** Level of the two routine records of each request. Default 'info'. */
  readonly lifecycleLevel?: 'info' | 'debug' | undefined;
  /** Whether the `request failed` record says what a handler's error says: it may repeat a prompt. Default false: name, code and stack frames. */
  readonly errorMessages?: boolean | undefined;
  /** Hears of each request, for metrics: `createWorkerMetrics().observer`. Default none. */
  readonly observer?: WorkerObserver | undefined;
  /** Address to bind and to tell others. Default DYN_TCP_RPC_HOST, else the first address of this machine that is not loopback. */
  readonly host?: string | undefined;
  /** Default DYN_TCP_RPC_PORT, else 0: the system chooses. */
  readonly port?: number | undefined;
  /** Address to tell others when it is not `host`, e.g. behind address translation. */
  readonly advertiseHost?: string | undefined;
  /** Connections at one time; further ones are closed. Default 10000, at most a quarter of the process's descriptors. */
  readonly maxConnections?: number | undefined;
  /** A connection that sends nothing for so many milliseconds is closed; 0 never. Default 600000: twice the client's idle time. */
  readonly idleTimeoutMs?: number | undefined;
  /** Longest time from the first to the last byte of a frame, in milliseconds; 0 for ever. Default 30000. */
  readonly frameTimeoutMs?: number | undefined;
}

const PORT = { max: 65_535 };
const ONE = { min: 1 };

function seconds(env: Environment, variable: string, fallback: number, range = ONE): number {
  return envInteger(env, variable, fallback, { ...range, max: 2_000_000 }) * 1000;
}

export const envOption = optionalOption<Environment>('an object', (value) => typeof value === 'object' && value !== null);

function networkOption(env: Environment): OptionReader<Network> {
  const read = optionalOption<Network>('a Network', (value) => typeof value === 'object' && value !== null && 'connect' in value && 'listen' in value);
  return (value, path) => read(value, path) ?? tcpNetwork({ env });
}

/** Names of span attributes with the filter of the variables. */
export function attributesOption(env: Environment): OptionReader<SpanSettings> {
  const read = enumOption(ATTRIBUTE_SETS, 'both');
  return (value, path) => {
    const attributes = read(value, path);
    return env === process.env && attributes === 'both' ? defaultSpanSettings() : { filter: TargetFilter.fromEnv(env), attributes };
  };
}

function hostOption(env: Environment, variable: string): OptionReader<string> {
  const read = stringOption('');
  return (value, path) => {
    const given = read(value, path);
    if (given !== '') return given;
    const name = env[variable] ?? '';
    return name === '' ? localIp() : resolveHost(name, variable);
  };
}

function commonSpec(env: Environment) {
  return {
    network: networkOption(env),
    logger: readLogger,
    attributes: attributesOption(env),
    maxMessageSize: numberOption(envInteger(env, 'DYN_TCP_MAX_MESSAGE_SIZE', DEFAULT_MAX_MESSAGE_SIZE, ONE), ONE),
    connectTimeoutMs: durationOption(seconds(env, 'DYN_TCP_CONNECT_TIMEOUT', 5), ONE),
    env: envOption,
  };
}

function callSpec(env: Environment) {
  return {
    ...commonSpec(env),
    responseHost: hostOption(env, 'DYN_TCP_RESPONSE_STREAM_HOST'),
    responsePort: numberOption(envInteger(env, 'DYN_TCP_RESPONSE_STREAM_PORT', 0, PORT), PORT),
    handshakeTimeoutMs: durationOption(10_000, ONE),
    maxCallsHome: numberOption(withinDescriptors(65_536, 0.5), ONE),
    prologueTimeoutMs: durationOption(30_000),
    inactivityTimeoutMs: durationOption(seconds(env, 'DYN_HTTP_BACKEND_STREAM_TIMEOUT_SECS', 0, { min: 0 })),
  };
}

function clientSpec(env: Environment) {
  return {
    ...callSpec(env),
    requestTimeoutMs: durationOption(seconds(env, 'DYN_TCP_REQUEST_TIMEOUT', 5), ONE),
    poolSize: numberOption(envInteger(env, 'DYN_TCP_POOL_SIZE', withinDescriptors(100, 0.25), ONE), ONE),
    channelBuffer: numberOption(envInteger(env, 'DYN_TCP_CHANNEL_BUFFER', 1024, ONE), ONE),
    connectLimit: numberOption(envInteger(env, 'DYN_TCP_GLOBAL_CONNECT_LIMIT', withinDescriptors(64, 0.25), ONE), ONE),
    maxWaiting: numberOption(10_000),
    hostIdleMs: durationOption(seconds(env, 'DYN_TCP_HOST_IDLE_TTL_SECS', 300), ONE),
  };
}

/** Pool and queue by the variables: Dynamo's limit on an engine's requests, where it is set, decides both. */
function workLimits(env: Environment): { readonly pool: number; readonly queue: number } {
  const engine = envInteger(env, 'DYN_ENGINE_REQUEST_LIMIT', -1);
  if (engine < 0) return { pool: envInteger(env, 'DYN_TCP_WORKER_POOL_SIZE', withinDescriptors(10_000, 0.5), ONE), queue: envInteger(env, 'DYN_TCP_WORK_QUEUE_SIZE', 40_000) };
  return { pool: Math.max(engine, 1), queue: Math.max(envInteger(env, 'DYN_DYNAMO_REQUEST_QUEUE_LIMIT', 16) - 1, 1) };
}

function serverSpec(env: Environment) {
  const { pool, queue } = workLimits(env);
  return {
    ...commonSpec(env),
    instanceId: instanceIdOption,
    workerPoolSize: numberOption(pool, ONE),
    workQueueSize: numberOption(queue),
    callHomeHosts: hostFilterOption,
    callHomeConnectLimit: numberOption(withinDescriptors(256, 0.25), ONE),
    killGraceMs: durationOption(10_000),
    finTimeoutMs: durationOption(10_000, ONE),
    graceMs: durationOption(seconds(env, 'DYN_RUNTIME_GRACEFUL_SHUTDOWN_TIMEOUT_SECS', 900, { min: 0 })),
    lifecycleLevel: enumOption(['info', 'debug'], 'info'),
    errorMessages: booleanOption(false),
    observer: optionalOption<WorkerObserver>('an object', (value) => typeof value === 'object' && value !== null),
    host: hostOption(env, 'DYN_TCP_RPC_HOST'),
    port: numberOption(envInteger(env, 'DYN_TCP_RPC_PORT', 0, PORT), PORT),
    advertiseHost: optionalOption<string>('an IP address', (value) => typeof value === 'string' && isIpAddress(value)),
    maxConnections: numberOption(withinDescriptors(10_000, 0.25), ONE),
    idleTimeoutMs: durationOption(600_000),
    frameTimeoutMs: durationOption(30_000),
  };
}

export type CallSettings = OptionsOf<ReturnType<typeof callSpec>>;
export type ClientSettings = OptionsOf<ReturnType<typeof clientSpec>>;
export type ServerSettings = OptionsOf<ReturnType<typeof serverSpec>>;

/** Settings of a caller's response plane. @throws ERR_OPTION_INVALID, ERR_ENV_INVALID */
export function readCallOptions(owner: string, options: CallOptions = {}): CallSettings {
  return readOptions(owner, callSpec(options.env ?? process.env), options);
}

/** @throws ERR_OPTION_INVALID, ERR_ENV_INVALID */
export function readClientOptions(options: RequestPlaneClientOptions = {}): ClientSettings {
  return readOptions('requestPlaneClient', clientSpec(options.env ?? process.env), options);
}

/** @throws ERR_OPTION_INVALID, ERR_ENV_INVALID */
export function readServerOptions(options: RequestPlaneServerOptions = {}): ServerSettings {
  return readOptions('requestPlaneServer', serverSpec(options.env ?? process.env), options);
}
