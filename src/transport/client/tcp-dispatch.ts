import { DynamoTracingError } from '../../errors/index.js';
import { RECORD_TARGETS, type Log } from '../../logging/index.js';
import { encodeRequestFrame, formatWorkerAddress, parseWorkerAddress, type RequestHeaders } from '../../protocol/index.js';
import { ConnectGate } from '../connecting.js';
import { callDuration } from '../deadline.js';
import type { RequestDispatch, SendOptions } from '../types.js';
import { Exchange } from './exchange.js';
import { HostPool, type HostPoolSettings } from './host-pool.js';

export interface TcpDispatchSettings extends HostPoolSettings {
  readonly requestTimeoutMs: number;
  readonly connectLimit: number;
  readonly hostIdleMs: number;
  readonly logger: Log;
}

/** Where an address leads: parsed once, most requests of a process go to the same few. */
interface Route {
  readonly host: string;
  readonly path: string;
  readonly pool: HostPool;
}

const MAX_ROUTES = 4096;
const MIN_SWEEP_MS = 10;

/** The TCP request plane: a pool for each host, request frames out, acks back. */
export class TcpDispatch implements RequestDispatch {
  readonly #pools = new Map<string, HostPool>();
  readonly #routes = new Map<string, Route>();
  readonly #gate: ConnectGate;
  #sweeper: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(private readonly settings: TcpDispatchSettings) {
    this.#gate = new ConnectGate(settings.connectLimit);
  }

  send(address: string, headers: RequestHeaders, payloadParts: readonly Uint8Array[], options: SendOptions = {}): Promise<void> {
    try {
      const timeoutMs = callDuration(options.timeoutMs, this.settings.requestTimeoutMs, 'timeoutMs', 1);
      const { pool, path } = this.#route(address);
      if (options.signal?.aborted === true) throw new DynamoTracingError('ERR_CANCELLED', 'the request was cancelled by its caller', { cause: options.signal.reason });
      const frame = encodeRequestFrame(path, { ...headers, 'x-endpoint-path': path }, payloadParts, this.settings.maxMessageSize);
      if (frame.droppedHeaders.length > 0) this.#warnDropped(frame.droppedHeaders, headers);
      const exchange = new Exchange(address, frame.chunks, timeoutMs, options);
      pool.send(exchange);
      return exchange.promise;
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what was thrown, as it is
      return Promise.reject(error);
    }
  }

  /** Opens a connection to a worker's host ahead of the first request. @throws ERR_ADDRESS_INVALID, ERR_CLIENT_CLOSED */
  warm(address: string): void {
    this.#route(address).pool.warm();
  }

  /** Fails what is in flight with ERR_CLIENT_CLOSED and closes every connection. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweeper);
    const error = clientClosed();
    for (const pool of this.#pools.values()) pool.close(error);
    this.#pools.clear();
    this.#routes.clear();
  }

  #route(address: string): Route {
    if (this.#closed) throw clientClosed();
    return this.#routes.get(address) ?? this.#newRoute(address);
  }

  #newRoute(address: string): Route {
    const { host, port, endpointPath } = parseWorkerAddress(address);
    const key = formatWorkerAddress({ host, port });
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = new HostPool({ host, port }, this.settings, this.#gate);
      this.#pools.set(key, pool);
      this.#startSweeping();
    }
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
    const route = { host: key, path: endpointPath ?? '', pool };
    this.#routes.set(address, route);
    return route;
  }

  /** Runs only while there are hosts, and keeps no process alive. */
  #startSweeping(): void {
    this.#sweeper ??= setInterval(() => this.#sweep(), Math.max(this.settings.hostIdleMs / 2, MIN_SWEEP_MS)).unref();
  }

  #sweep(): void {
    for (const [key, pool] of this.#pools) if (pool.sweep(this.settings.hostIdleMs)) this.#dropHost(key, pool);
    if (this.#pools.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }

  #dropHost(key: string, pool: HostPool): void {
    pool.close(clientClosed());
    this.#pools.delete(key);
    for (const [address, route] of this.#routes) if (route.host === key) this.#routes.delete(address);
  }

  #warnDropped(dropped: readonly string[], headers: RequestHeaders): void {
    const fields = { dropped: dropped.join(', '), request_id: headers['request-id'] };
    this.settings.logger.emit('warn', RECORD_TARGETS.transport, 'request headers do not fit their frame: some were left out', fields);
  }
}

function clientClosed(): DynamoTracingError {
  return new DynamoTracingError('ERR_CLIENT_CLOSED', 'the client is closed');
}
