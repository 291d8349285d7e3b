import { DynamoTracingError, type Failure } from '../../errors/index.js';
import { guarded, invalidOption, monotonicMs } from '../../internal/index.js';
import { activeContext, getTraceScope, newRequestId } from '../../trace-context/index.js';
import { instanceIdOption } from '../discovery/record.js';
import { closed } from '../endings.js';
import type { StreamOptions } from '../types.js';
import type { Attempt } from './attempt.js';
import { readRouterOptions, type RouterOptions, type RouterSettings } from './options.js';
import { RoutedStream, type RouteSettings } from './routed-stream.js';
import { MODE_NAMES, Selection } from './selection.js';
import { WorkerSource, type RoutedWorker } from './workers.js';

/** Settings of one routed request. */
export interface RouteOptions extends Omit<StreamOptions, 'codec'> {
  /** The worker to ask, and no other: the request is never migrated then. Needed in mode `direct`, allowed in all. */
  readonly instanceId?: bigint | undefined;
  /** Hears of every attempt as it begins, with its number from 0. What it throws is reported once and ignored. */
  readonly onWorker?: ((worker: RoutedWorker, attempt: number) => void) | undefined;
}

const GONE_AFTER_MS = 500;

/**
 * Sends requests to one of an endpoint's workers. Every attempt on a worker is a `router.route_request` span, open until its
 * response stream ends, and parent of the worker's `handle_payload`. The client and the discovery stay their owner's.
 */
export class Router {
  readonly #settings: RouterSettings;
  readonly #source: WorkerSource;
  readonly #selection: Selection;
  readonly #opening = new Set<Attempt>();
  #closed = false;

  /** @throws ERR_OPTION_INVALID, ERR_ENV_INVALID, ERR_ADDRESS_INVALID */
  constructor(options: RouterOptions) {
    this.#settings = readRouterOptions(options);
    this.#source = new WorkerSource(this.#settings.workers, { onFound: (worker) => this.#warm(worker), onGone: (worker) => this.#onGone(worker) });
    this.#selection = new Selection(this.#settings.inhibitedMs, this.#settings.now ?? monotonicMs);
  }

  /**
   * The response to `request` from one of the workers. Nothing is sent before the first item is asked for. It throws what
   * the client throws, ERR_NO_WORKERS when there is no worker to ask, ERR_DISCOVERY when they cannot be looked up. A failure of
   * the worker's own before the first item is tried elsewhere, up to `migrationLimit` times; when nobody is left the last
   * failure is thrown.
   * @throws ERR_OPTION_INVALID, ERR_CLIENT_CLOSED
   */
  generate<T = unknown>(request: unknown, options: RouteOptions = {}): RoutedStream<T> {
    if (this.#closed) throw closed('the router is closed');
    return new RoutedStream<T>(this.#route(options), request);
  }

  /** The workers that the next request can go to, inhibited ones among them. @throws ERR_DISCOVERY */
  async workers(): Promise<readonly RoutedWorker[]> {
    const workers = await this.#source.list();
    return workers.filter(({ plane }) => this.#settings.clients[plane] !== undefined);
  }

  /** Ends the watch of discovery. Requests under way go on. */
  close(): Promise<void> {
    this.#closed = true;
    this.#source.close();
    return Promise.resolve();
  }

  #route({ instanceId, onWorker, ...options }: RouteOptions): RouteSettings {
    const { mode, migrationLimit, attributes, logger, clients } = this.#settings;
    if (mode === 'direct' && instanceId === undefined) throw invalidOption('generate.instanceId', "a BigInt in mode 'direct'", instanceId);
    instanceIdOption(instanceId, 'generate.instanceId');
    const parent = options.context ?? activeContext();
    const scope = getTraceScope(parent);
    const requestId = options.requestId ?? scope?.requestId ?? newRequestId();
    return {
      modeName: MODE_NAMES[instanceId === undefined ? mode : 'direct'],
      requestId,
      identity: requestId === scope?.requestId ? undefined : { requestId, xRequestId: scope?.xRequestId },
      parent, attributes, logger, clients, migrationLimit, options, onWorker,
      opening: this.#opening,
      choose: (tried) => this.#choose(tried, instanceId),
      report: (worker, failure) => this.#report(worker, failure),
    };
  }

  async #choose(tried: readonly RoutedWorker[], instanceId: bigint | undefined): Promise<RoutedWorker | undefined> {
    if (instanceId !== undefined && tried.length > 0) return undefined;
    const workers = await this.workers();
    const fresh = workers.filter(({ workerId, address }) => (instanceId === undefined ? !tried.some((one) => one.address === address) : workerId === instanceId));
    const worker = instanceId === undefined ? this.#selection.choose(this.#settings.mode === 'random' ? 'random' : 'round_robin', fresh) : fresh[0];
    if (worker !== undefined || tried.length > 0) return worker;
    const { endpoint } = this.#source;
    throw new DynamoTracingError('ERR_NO_WORKERS', `${endpoint ?? 'the router'} has no worker${instanceId === undefined ? 's' : ` ${instanceId}`}`, { endpoint, instanceId });
  }

  /** A record may be missing for a moment while its owner writes it anew: calls are given up when it is still missing a little later. */
  #onGone(worker: RoutedWorker): void {
    this.#selection.release(worker);
    const { address } = worker;
    const giveUp = async (): Promise<void> => {
      const listed = await this.#source.list();
      if (listed.some((one) => one.address === address)) return;
      const error = new DynamoTracingError('ERR_CONNECTION_CLOSED', `worker ${address} left discovery before its response stream began`, { address });
      for (const attempt of this.#opening) if (attempt.worker.address === address) attempt.lose(error);
    };
    setTimeout(() => void giveUp().catch(() => undefined), GONE_AFTER_MS).unref(); // discovery that cannot be read tells nothing
  }

  #warm({ plane, address }: RoutedWorker): void {
    guarded('router.client.warm', () => this.#settings.clients[plane]?.warm?.(address), undefined);
  }

  #report(worker: RoutedWorker, failure: Failure | undefined): void {
    if (failure === undefined) this.#selection.release(worker);
    else if (failure.inhibits) this.#selection.inhibit(worker);
  }
}
