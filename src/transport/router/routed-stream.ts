import { failureOf, isDynamoTracingError, type Failure } from '../../errors/index.js';
import { guarded } from '../../internal/index.js';
import { RECORD_TARGETS } from '../../logging/index.js';
import { isAborted, reasonOf, whenAborted } from '../abort.js';
import { cancelled, Deferred, DONE } from '../endings.js';
import type { ResponseStream, StreamEnd, StreamOptions } from '../types.js';
import { Attempt, errorOfItem, type AttemptSettings, type Migration } from './attempt.js';
import type { RoutedWorker } from './workers.js';

/** What a routed request needs of its router. */
export interface RouteSettings extends AttemptSettings {
  /** Retries on another worker that are allowed. */
  readonly migrationLimit: number;
  readonly options: StreamOptions;
  readonly onWorker: ((worker: RoutedWorker, attempt: number) => void) | undefined;
  /** A worker that was not tried yet; undefined when there is none left. @throws ERR_NO_WORKERS when there was none at all */
  choose(tried: readonly RoutedWorker[]): Promise<RoutedWorker | undefined>;
  /** Told how a worker did up to its first item: undefined when it did well. */
  report(worker: RoutedWorker, failure: Failure | undefined): void;
}

type Cancellation = Extract<StreamEnd, { outcome: 'cancelled' }>['signal'];

/**
 * The response to a routed request. Nothing is sent before the first `next`. Until the first item has been delivered a
 * failed attempt may be followed by one on another worker; from then on this is the worker's own stream.
 */
export class RoutedStream<T = unknown> implements ResponseStream<T> {
  readonly requestId: string;
  readonly #ended = new Deferred<StreamEnd>();
  readonly ended = this.#ended.promise;
  /** Let go with the first item: streams are open for long, and prompts are large. */
  #request: unknown;
  readonly #annotated: boolean;
  readonly #unlisten: () => void;
  /** Rejects when the request is cancelled: a choice of workers that hangs ends with it. */
  readonly #left = new Deferred<never>();
  #end: StreamEnd | undefined;
  /** The first `next`, from the choice of a worker to its first item. */
  #first: Promise<IteratorResult<T, undefined>> | undefined;
  /** The first `next` has settled: no more attempts. */
  #flowing = false;
  #cancelled: Cancellation | undefined;
  #stopped = false;
  #attempt: Attempt | undefined;
  #stream: ResponseStream<T> | undefined;

  constructor(
    private readonly route: RouteSettings,
    request: unknown,
  ) {
    this.#request = request;
    this.requestId = route.requestId;
    this.#annotated = route.options.annotated ?? false;
    this.#left.promise.catch(() => undefined);
    this.#unlisten = whenAborted(route.options.signal, () => this.#cancel('kill'));
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

  /** Returns this stream: it can be read once. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next item, of whichever worker answers now; throws what ended the stream. */
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
    this.#stream?.stop();
  }

  cancel(): void {
    this.#cancel('kill');
  }

  #cancel(signal: Cancellation): void {
    if (this.#end !== undefined || this.#cancelled !== undefined) return;
    this.#cancelled = signal;
    this.#left.reject(signal);
    if (signal === 'stream_drop' && this.#stream !== undefined) void this.#stream.return();
    else this.#attempt?.abort(reasonOf(this.route.options.signal));
    if (this.#first === undefined) this.#finish({ outcome: 'cancelled', signal });
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    const attempt = this.#attempt;
    const stream = this.#stream;
    return attempt === undefined || stream === undefined ? DONE : attempt.next(stream, this.#annotated);
  }

  async #begin(): Promise<IteratorResult<T, undefined>> {
    try {
      const aborted = isAborted(this.route.options.signal);
      if (this.#end !== undefined && !aborted) return DONE;
      if (aborted) this.#cancel('kill');
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
    for (let migration: Migration | undefined; worker !== undefined;) {
      const attempt = new Attempt(this.route, worker, tried.length, migration);
      tried.push(worker);
      this.#attempt = attempt;
      this.#announce(attempt);
      const { failure, deliver } = await this.#try(attempt);
      this.route.report(worker, failure);
      if (failure === undefined) return deliver();
      migration = { failure, from: worker };
      worker = this.#mayMigrate(failure, tried.length) ? await this.#choose(tried, migration) : undefined;
      if (worker === undefined) return deliver();
      await this.#leave();
    }
    return DONE;
  }

  /** @throws ERR_CANCELLED when the request was cancelled before this attempt */
  async #choose(tried: readonly RoutedWorker[], migration: Migration | undefined): Promise<RoutedWorker | undefined> {
    const worker = this.#cancelled === undefined ? await this.#unlessLeft(this.route.choose(tried)) : undefined;
    if (this.#cancelled === undefined) return worker;
    this.#logCancelled(tried.length, migration);
    throw cancelled(this.route.options.signal);
  }

  /** What is looked up, unless the request is cancelled meanwhile: then undefined. */
  async #unlessLeft<W>(looked: Promise<W>): Promise<W | undefined> {
    try {
      return await Promise.race([looked, this.#left.promise]);
    } catch (error) {
      if (this.#cancelled === undefined) throw error;
      return undefined;
    }
  }

  /** Dynamo logs this at INFO; DEBUG here for the reason that {@link Attempt} gives. There is no span: no worker was asked. */
  #logCancelled(number: number, migration: Migration | undefined): void {
    const message = migration === undefined ? 'request cancelled before worker dispatch' : 'migration cancelled before worker dispatch';
    this.route.logger.emit('debug', RECORD_TARGETS.transport, message, {
      'request.attempt': number,
      'migration.is_retry': migration !== undefined,
      'migration.reason': migration?.failure.errorType,
      'migration.from_worker_id': migration?.from.workerId?.toString(),
      'migration.tokens_completed': migration === undefined ? undefined : 0,
    });
  }

  #announce(attempt: Attempt): void {
    const { onWorker } = this.route;
    if (onWorker !== undefined) guarded('router.onWorker', () => onWorker(attempt.worker, attempt.number), undefined);
  }

  /** One attempt up to its first item. If it is the last, the caller gets what `deliver` returns or throws. */
  async #try(attempt: Attempt): Promise<{ readonly failure: Failure | undefined; readonly deliver: () => IteratorResult<T, undefined> }> {
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
      const stream = await attempt.open<T>(this.#request, this.route.options);
      this.#stream = stream;
      if (this.#stopped) stream.stop();
      return stream;
    } catch (error) {
      attempt.settle(this.#cancelled !== undefined && isDynamoTracingError(error, 'ERR_CANCELLED') ? { outcome: 'cancelled', signal: this.#cancelled } : { outcome: 'error', error });
      throw error;
    }
  }

  #mayMigrate(failure: Failure, attempts: number): boolean {
    return failure.migratable && attempts <= this.route.migrationLimit && !this.#stopped;
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
    this.#unlisten();
    this.#ended.resolve(end);
  }
}
