import type { Context } from '@opentelemetry/api';
import { DynamoTracingError, failureOf, isDynamoTracingError, type Failure } from '../../errors/index.js';
import { guarded } from '../../internal/index.js';
import type { ResponseStream, StreamEnd, StreamOptions } from '../types.js';
import { errorOfItem, type Attempt, type Migration } from './attempt.js';
import type { RoutedWorker } from './workers.js';

/** What a routed request needs of its router. */
export interface Route {
  /** Retries on another worker that are allowed. */
  readonly migrationLimit: number;
  readonly requestId: string;
  readonly options: StreamOptions;
  readonly onWorker: ((worker: RoutedWorker, attempt: number) => void) | undefined;
  /** A worker that was not tried yet; undefined when there is none left. */
  choose(tried: readonly RoutedWorker[]): Promise<RoutedWorker | undefined>;
  /** What choosing no worker at all means. */
  noWorkers(): DynamoTracingError;
  begin(worker: RoutedWorker, number: number, migration: Migration | undefined): Attempt;
  open<T>(worker: RoutedWorker, request: unknown, options: StreamOptions): Promise<ResponseStream<T>>;
  /** Told how a worker did up to its first item: undefined when it did well. */
  report(worker: RoutedWorker, failure: Failure | undefined): void;
  /** Told about a cancellation that came before an attempt. */
  cancelledBefore(number: number, migration: Migration | undefined): void;
}

type Cancellation = Extract<StreamEnd, { outcome: 'cancelled' }>['signal'];
const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/**
 * The response to a routed request. Nothing is sent before the first `next`. Until the first item has been delivered a
 * failed attempt may be followed by one on another worker; from then on this is the worker's own stream.
 */
export class RoutedStream<T = unknown> implements ResponseStream<T> {
  readonly requestId: string;
  readonly ended: Promise<StreamEnd>;
  readonly #route: Route;
  /** Let go with the first item: streams are open for long, and prompts are large. */
  #request: unknown;
  readonly #annotated: boolean;
  readonly #abort = new AbortController();
  readonly #onAbort = (): void => this.#cancel('kill');
  #resolveEnded: ((end: StreamEnd) => void) | undefined;
  #end: StreamEnd | undefined;
  /** The first `next`, from the choice of a worker to its first item. */
  #first: Promise<IteratorResult<T, undefined>> | undefined;
  /** The first `next` has settled: no more attempts. */
  #flowing = false;
  #cancelled: Cancellation | undefined;
  #stopped = false;
  #attempt: Attempt | undefined;
  #stream: ResponseStream<T> | undefined;

  constructor(route: Route, request: unknown) {
    this.#route = route;
    this.#request = request;
    this.requestId = route.requestId;
    this.#annotated = route.options.annotated ?? false;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    route.options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** The worker that serves the request, or was tried last; undefined before the first attempt. */
  get worker(): RoutedWorker | undefined {
    return this.#attempt?.worker;
  }

  /** Instance id of {@link worker}: what a record's `decode_worker_id` is. */
  get workerId(): bigint | undefined {
    return this.worker?.workerId;
  }

  /** Attempts begun so far. */
  get attempts(): number {
    return this.#attempt === undefined ? 0 : this.#attempt.number + 1;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#flowing) return this.#next();
    if (this.#first === undefined) return (this.#first = this.#begin());
    return this.#first.then(() => this.#next(), () => DONE);
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    const stream = this.#stream;
    this.#cancel('stream_drop');
    // Whoever leaves a loop early goes on when the worker has been told, not before.
    await stream?.return();
    return DONE;
  }

  stop(): void {
    this.#stopped = true;
    if (this.#stream !== undefined) this.#stream.stop();
  }

  cancel(): void {
    this.#cancel('kill');
  }

  #cancel(signal: Cancellation): void {
    if (this.#end !== undefined || this.#cancelled !== undefined) return;
    this.#cancelled = signal;
    if (signal === 'stream_drop' && this.#stream !== undefined) void this.#stream.return();
    else this.#abort.abort(this.#route.options.signal?.reason);
    if (this.#first === undefined) this.#finish({ outcome: 'cancelled', signal });
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    const attempt = this.#attempt;
    const stream = this.#stream;
    return attempt === undefined || stream === undefined ? DONE : attempt.next(stream, this.#annotated);
  }

  async #begin(): Promise<IteratorResult<T, undefined>> {
    const aborted = this.#route.options.signal?.aborted === true;
    if (this.#end !== undefined && !aborted) return DONE;
    if (aborted) this.#cancel('kill');
    try {
      const first = await this.#attemptUntilFirstItem();
      void this.#stream?.ended.then((end) => this.#finish(end));
      return first;
    } catch (error) {
      this.#stream = undefined;
      this.#finish(this.#cancelled === undefined ? { outcome: 'error', error } : { outcome: 'cancelled', signal: this.#cancelled });
      throw error;
    } finally {
      this.#flowing = true;
      this.#request = undefined;
    }
  }

  async #attemptUntilFirstItem(): Promise<IteratorResult<T, undefined>> {
    const tried: RoutedWorker[] = [];
    let worker = await this.#choose(tried, undefined);
    if (worker === undefined) throw this.#route.noWorkers();
    for (let migration: Migration | undefined; ;) {
      const attempt = this.#route.begin(worker, tried.length, migration);
      tried.push(worker);
      this.#attempt = attempt;
      this.#announce(attempt);
      const outcome = await this.#try(attempt);
      this.#route.report(worker, outcome.failure);
      const { failure } = outcome;
      if (failure === undefined) return outcome.deliver();
      migration = { failure, from: worker };
      worker = this.#mayMigrate(failure, tried.length) ? await this.#choose(tried, migration) : undefined;
      if (worker === undefined) return outcome.deliver();
      await this.#leave();
    }
  }

  /** @throws ERR_CANCELLED when the request was cancelled before this attempt */
  async #choose(tried: readonly RoutedWorker[], migration: Migration | undefined): Promise<RoutedWorker | undefined> {
    const worker = this.#cancelled === undefined ? await this.#route.choose(tried) : undefined;
    if (this.#cancelled === undefined) return worker;
    this.#route.cancelledBefore(tried.length, migration);
    throw new DynamoTracingError('ERR_CANCELLED', 'the request was cancelled before a worker was asked', { cause: this.#route.options.signal?.reason });
  }

  #announce(attempt: Attempt): void {
    const { onWorker } = this.#route;
    if (onWorker !== undefined) guarded('router.onWorker', () => onWorker(attempt.worker, attempt.number), undefined);
  }

  /** One attempt up to its first item. */
  async #try(attempt: Attempt): Promise<Tried<T>> {
    try {
      const stream = await this.#open(attempt);
      const result = await attempt.next(stream, this.#annotated);
      const error = this.#annotated && result.done !== true ? errorOfItem(result.value) : undefined;
      return { failure: error === undefined ? undefined : failureOf(error), deliver: () => result };
    } catch (error) {
      return { failure: failureOf(error), deliver: () => { throw error; } };
    }
  }

  async #open(attempt: Attempt): Promise<ResponseStream<T>> {
    try {
      const options: StreamOptions & { readonly context: Context } = { ...this.#route.options, requestId: this.requestId, codec: attempt.worker.codec, context: attempt.context, signal: this.#abort.signal };
      const stream = await this.#route.open<T>(attempt.worker, this.#request, options);
      this.#stream = stream;
      void stream.ended.then((end) => attempt.settle(end));
      if (this.#stopped) stream.stop();
      return stream;
    } catch (error) {
      attempt.settle(this.#cancelled !== undefined && isDynamoTracingError(error, 'ERR_CANCELLED') ? { outcome: 'cancelled', signal: this.#cancelled } : { outcome: 'error', error });
      throw error;
    }
  }

  #mayMigrate(failure: Failure, attempts: number): boolean {
    return failure.migratable && attempts <= this.#route.migrationLimit && !this.#stopped;
  }

  /** Leaves the stream of a failed attempt, which may still be open when its error was an item. */
  async #leave(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    await stream?.return();
  }

  #finish(end: StreamEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#route.options.signal?.removeEventListener('abort', this.#onAbort);
    this.#resolveEnded?.(end);
  }
}

/** How an attempt went up to its first item. */
interface Tried<T> {
  /** Undefined when it went well. */
  readonly failure: Failure | undefined;
  /** Gives what the caller gets if this attempt is the last: an item (an error item too), the end, or what was thrown. */
  readonly deliver: () => IteratorResult<T, undefined>;
}
