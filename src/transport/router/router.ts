import { DynamoTracingError, type Failure } from '../../errors/index.js';
import { guarded, invalidOption, monotonicMs } from '../../internal/index.js';
import { RECORD_TARGETS } from '../../logging/index.js';
import { activeContext, getTraceScope, newRequestId } from '../../trace-context/index.js';
import { instanceIdOption } from '../discovery/record.js';
import type { ResponseStream, StreamOptions } from '../types.js';
import { Attempt, type AttemptStart, type Migration } from './attempt.js';
import { PendingCalls } from './pending-calls.js';
import { readRouterOptions, type RouterOptions, type RouterSettings } from './options.js';
import { RoutedStream, type Route } from './routed-stream.js';
import { MODE_NAMES, Selection, type RouterMode } from './selection.js';
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
  readonly #pending = new PendingCalls();
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
    if (this.#closed) throw new DynamoTracingError('ERR_CLIENT_CLOSED', 'the router is closed');
    return new RoutedStream<T>(this.#route(options), request);
  }

  /** The workers that the next request can go to, inhibited ones among them. @throws ERR_DISCOVERY */
  async workers(): Promise<readonly RoutedWorker[]> {
    const workers = await this.#source.list();
    return workers.filter(({ plane }) => this.#settings.clients[plane] !== undefined);
  }

  /** Ends the watch of discovery. Requests under way go on. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#source.close();
  }

  #route({ instanceId, onWorker, ...options }: RouteOptions): Route {
    const { mode, migrationLimit } = this.#settings;
    if (mode === 'direct' && instanceId === undefined) throw invalidOption('generate.instanceId', "a BigInt in mode 'direct'", instanceId);
    instanceIdOption(instanceId, 'generate.instanceId');
    const attempts = this.#attempts(instanceId === undefined ? mode : 'direct', options);
    return {
      migrationLimit,
      requestId: attempts.requestId,
      options,
      onWorker,
      choose: (tried) => this.#choose(tried, instanceId),
      noWorkers: () => this.#noWorkers(instanceId),
      begin: (worker, number, migration) => new Attempt({ ...attempts, worker, number, migration }),
      open: (worker, request, streamOptions) => this.#open(worker, request, streamOptions),
      report: (worker, failure) => this.#report(worker, failure),
      cancelledBefore: (number, migration) => this.#cancelledBefore(number, migration),
    };
  }

  /** What all attempts of a request have in common. */
  #attempts(mode: RouterMode, options: StreamOptions): Omit<AttemptStart, 'worker' | 'number' | 'migration'> {
    const parent = options.context ?? activeContext();
    const scope = getTraceScope(parent);
    const requestId = options.requestId ?? scope?.requestId ?? newRequestId();
    const identity = requestId === scope?.requestId ? undefined : { requestId, xRequestId: scope?.xRequestId };
    return { modeName: MODE_NAMES[mode], requestId, identity, parent, spans: this.#settings.spans, log: this.#settings.log };
  }

  async #choose(tried: readonly RoutedWorker[], instanceId: bigint | undefined): Promise<RoutedWorker | undefined> {
    const workers = await this.workers();
    if (instanceId !== undefined) return tried.length > 0 ? undefined : workers.find(({ workerId }) => workerId === instanceId);
    const fresh = tried.length === 0 ? workers : workers.filter(({ address }) => !tried.some((one) => one.address === address));
    return this.#selection.choose(this.#settings.mode === 'random' ? 'random' : 'round_robin', fresh);
  }

  #noWorkers(instanceId: bigint | undefined): DynamoTracingError {
    const { endpoint } = this.#source;
    const whose = endpoint === undefined ? 'the router' : endpoint;
    return instanceId === undefined
      ? new DynamoTracingError('ERR_NO_WORKERS', `${whose} has no workers`, { endpoint })
      : new DynamoTracingError('ERR_NO_WORKERS', `${whose} has no worker ${instanceId}`, { endpoint, instanceId });
  }

  async #open<T>(worker: RoutedWorker, request: unknown, options: StreamOptions): Promise<ResponseStream<T>> {
    const client = this.#settings.clients[worker.plane];
    if (client === undefined) throw this.#noWorkers(worker.workerId);
    return this.#pending.open(worker, options, (callOptions) => client.openStream<T>(worker.address, request, callOptions));
  }

  /** A record may be missing for a moment while its owner writes it anew: calls are given up when it is still missing a little later. */
  #onGone(worker: RoutedWorker): void {
    this.#selection.forget(worker);
    const giveUp = async (): Promise<void> => {
      const listed = await this.#source.list();
      if (!listed.some(({ address }) => address === worker.address)) this.#pending.fail(worker);
    };
    setTimeout(() => void giveUp().catch(() => undefined), GONE_AFTER_MS).unref(); // discovery that cannot be read tells nothing
  }

  #warm({ plane, address }: RoutedWorker): void {
    const client = this.#settings.clients[plane];
    if (client?.warm !== undefined) guarded('router.client.warm', () => client.warm?.(address), undefined);
  }

  #report(worker: RoutedWorker, failure: Failure | undefined): void {
    if (failure === undefined) this.#selection.release(worker);
    else if (failure.inhibits) this.#selection.inhibit(worker);
  }

  /** Dynamo logs this at INFO; DEBUG here for the reason that {@link Attempt} gives. There is no span: no worker was asked. */
  #cancelledBefore(number: number, migration: Migration | undefined): void {
    const message = migration === undefined ? 'request cancelled before worker dispatch' : 'migration cancelled before worker dispatch';
    this.#settings.log.emit('debug', RECORD_TARGETS.transport, message, {
      'request.attempt': number,
      'migration.is_retry': migration !== undefined,
      'migration.reason': migration?.failure.errorType,
      'migration.from_worker_id': migration?.from.workerId?.toString(),
      'migration.tokens_completed': migration === undefined ? undefined : 0,
    });
  }
}
