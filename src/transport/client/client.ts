import { RECORD_TARGETS } from '../../logging/index.js';
import { encodeRequestFrame, formatWorkerAddress, parseWorkerAddress, type RequestHeaders } from '../../protocol/index.js';
import { isAborted } from '../abort.js';
import { callDuration } from '../deadline.js';
import { cancelled, closed } from '../endings.js';
import { readClientOptions, type ClientSettings, type RequestPlaneClientOptions } from '../settings.js';
import { ConnectGate } from '../sockets.js';
import type { Peer } from '../response/response-plane.js';
import type { SendOptions } from '../types.js';
import { HostPool } from './host-pool.js';
import { Exchange } from './request-connection.js';
import { StreamCaller } from './stream-caller.js';

/** Where an address leads: parsed once, most requests of a process go to the same few. */
interface Route {
  readonly host: string;
  readonly path: string;
  readonly pool: HostPool;
}

const MAX_ROUTES = 4096;
const MIN_SWEEP_MS = 10;

/**
 * Calls workers over Dynamo's TCP request plane. Connections are made as they are needed and shared by all requests to a
 * host; idle ones do not keep the process alive. Close it when done.
 *
 * @example
 * const client = new RequestPlaneClient();
 * for await (const item of client.generate('10.0.0.1:9000/2a/generate', { prompt: 'hi' })) console.log(item);
 * await client.close();
 */
export class RequestPlaneClient extends StreamCaller {
  readonly #settings: ClientSettings;
  readonly #pools = new Map<string, HostPool>();
  readonly #routes = new Map<string, Route>();
  readonly #gate: ConnectGate;
  #sweeper: NodeJS.Timeout | undefined;
  #closed = false;

  /** @throws ERR_OPTION_INVALID, ERR_ENV_INVALID */
  constructor(options?: RequestPlaneClientOptions) {
    const settings = readClientOptions(options);
    super(settings);
    this.#settings = settings;
    this.#gate = new ConnectGate(settings.connectLimit);
  }

  async send(address: string, headers: RequestHeaders, payloadParts: readonly Uint8Array[], options: SendOptions = {}): Promise<void> {
    const timeoutMs = callDuration(options.timeoutMs, this.#settings.requestTimeoutMs, 'timeoutMs', 1);
    const { pool, path } = this.#route(address);
    if (isAborted(options.signal)) throw cancelled(options.signal);
    const frame = encodeRequestFrame(path, { ...headers, 'x-endpoint-path': path }, payloadParts, this.#settings.maxMessageSize);
    if (frame.droppedHeaders.length > 0) {
      const fields = { dropped: frame.droppedHeaders.join(', '), request_id: headers['request-id'] };
      this.#settings.logger.emit('warn', RECORD_TARGETS.transport, 'request headers do not fit their frame: some were left out', fields);
    }
    const exchange = new Exchange(address, frame.chunks, timeoutMs, options.signal);
    pool.send(exchange);
    return exchange.acknowledged.promise;
  }

  /** @throws ERR_ADDRESS_INVALID, ERR_CLIENT_CLOSED */
  protected override peerOf(address: string): Peer {
    return this.#route(address).pool;
  }

  /** Opens a connection to a worker's host ahead of the first request. @throws ERR_ADDRESS_INVALID, ERR_CLIENT_CLOSED */
  warm(address: string): void {
    this.#route(address).pool.warm();
  }

  override close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    for (const pool of this.#pools.values()) pool.close(closed());
    this.#pools.clear();
    this.#routes.clear();
    return super.close();
  }

  #route(address: string): Route {
    if (this.#closed) throw closed();
    return this.#routes.get(address) ?? this.#newRoute(address);
  }

  #newRoute(address: string): Route {
    const { host, port, endpointPath } = parseWorkerAddress(address);
    const key = formatWorkerAddress({ host, port });
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = new HostPool({ host, port }, this.#settings, this.#gate);
      this.#pools.set(key, pool);
      // Runs only while there are hosts, and keeps no process alive.
      this.#sweeper ??= setInterval(() => this.#sweep(), Math.max(this.#settings.hostIdleMs / 2, MIN_SWEEP_MS)).unref();
    }
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
    const route = { host: key, path: endpointPath ?? '', pool };
    this.#routes.set(address, route);
    return route;
  }

  #sweep(): void {
    for (const [key, pool] of this.#pools) if (pool.sweep(this.#settings.hostIdleMs)) this.#dropHost(key, pool);
    if (this.#pools.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #dropHost(key: string, pool: HostPool): void {
    pool.close(closed());
    this.#pools.delete(key);
    for (const [address, route] of this.#routes) if (route.host === key) this.#routes.delete(address);
  }
}
