import type { Context } from '@opentelemetry/api';
import { failureOf, type Failure } from '../../errors/index.js';
import type { Level } from '../../internal/index.js';
import { RECORD_TARGETS, type Log } from '../../logging/index.js';
import { itemError, parseWorkerAddress } from '../../protocol/index.js';
import { SPANS, startSpan, type SpanFields, type SpanSettings, type TracedSpan } from '../../spans/index.js';
import type { ResponseStream, StreamEnd } from '../types.js';
import type { RoutedWorker } from './workers.js';

/** Why a request went to another worker. */
export interface Migration {
  readonly failure: Failure;
  readonly from: RoutedWorker;
}

/** What is known when an attempt begins. */
export interface AttemptStart {
  readonly worker: RoutedWorker;
  /** 0 for the first. */
  readonly number: number;
  readonly modeName: string;
  readonly requestId: string;
  readonly identity: { readonly requestId: string; readonly xRequestId: string | undefined } | undefined;
  readonly parent: Context;
  readonly migration: Migration | undefined;
  readonly spans: SpanSettings;
  readonly log: Log;
}

/**
 * One attempt on a worker: its `router.route_request` span from the choice of the worker to the end of the response stream,
 * and its end as a span event and a log line, exactly once.
 *
 * Dynamo logs these events at INFO under the target `request_span`, which no filter of its turns off. A line for each
 * attempt beside the two records of each request is what its users complain of, so the lines of routine ends are DEBUG here,
 * under the transport's target; a failed attempt is WARN as there. The span carries the events by Dynamo's names always.
 */
export class Attempt {
  readonly worker: RoutedWorker;
  readonly number: number;
  readonly #span: TracedSpan;
  readonly #log: Log;
  #settled = false;

  constructor(start: AttemptStart) {
    this.worker = start.worker;
    this.number = start.number;
    this.#log = start.log;
    this.#span = startSpan(SPANS.routeRequest, { settings: start.spans, parent: start.parent, fields: fieldsOf(start), identity: start.identity });
  }

  /** The context inside the span: the worker's span becomes its child. */
  get context(): Context {
    return this.#span.context;
  }

  /** Takes the next item; the attempt is over when the stream is, or when an item is an error. */
  async next<T>(stream: ResponseStream<T>, annotated: boolean): Promise<IteratorResult<T, undefined>> {
    let result: IteratorResult<T, undefined>;
    try {
      result = await stream.next();
    } catch (error) {
      this.settle(await stream.ended, error);
      throw error;
    }
    if (result.done === true) this.settle(await stream.ended);
    else if (annotated) this.#look(result.value);
    return result;
  }

  /** Ends the attempt; later calls do nothing. `error` is what the caller got, if the stream itself does not know. */
  settle(end: StreamEnd, error?: unknown): void {
    if (this.#settled) return;
    this.#settled = true;
    if (end.outcome === 'cancelled') this.#cancelled(end.signal);
    else if (end.outcome === 'error' || error !== undefined) this.#failed(failureOf(end.outcome === 'error' ? end.error : error));
    else this.#finish('debug', 'route request completed', { 'request.outcome': 'success' });
  }

  /** A stream of whole items brings its errors as items; the first one decides how the attempt ended, as in Dynamo. */
  #look(item: unknown): void {
    const error = errorOfItem(item);
    if (error === undefined || this.#settled) return;
    this.#settled = true;
    this.#failed(failureOf(error));
  }

  #failed(failure: Failure): void {
    if (failure.outcome === 'cancelled') return this.#cancelled('context');
    const { outcome, errorType } = failure;
    this.#span.set({ 'request.outcome': outcome });
    this.#span.fail(errorType);
    this.#finish('warn', 'route request failed', { 'request.outcome': outcome, 'error.type': errorType });
  }

  /** Neither success nor failure: the span's status stays unset. */
  #cancelled(signal: string): void {
    this.#finish('debug', 'route request cancelled', { 'request.outcome': 'cancelled', 'cancellation.signal': signal });
  }

  #finish(level: Level, message: string, fields: SpanFields): void {
    this.#span.set(fields);
    this.#span.event(message, fields);
    const { workerId, address } = this.worker;
    this.#log.emit(level, RECORD_TARGETS.transport, message, { ...fields, worker_id: workerId?.toString(), address, 'request.attempt': this.number }, { context: this.#span.context });
    this.#span.end();
  }
}

/** Fields of the span at its start, by Dynamo's names. */
function fieldsOf({ worker, number, modeName, requestId, migration, spans }: AttemptStart): SpanFields {
  return {
    request_id: requestId,
    worker_id: worker.workerId,
    router_mode: modeName,
    'request.attempt': number,
    'migration.is_retry': number > 0,
    // A request that has delivered something is never sent again, so that nothing is ever replayed.
    'migration.tokens_completed': 0,
    'migration.reason': migration?.failure.errorType,
    'migration.from_worker_id': migration?.from.workerId,
    ...(spans.attributes === 'dynamo' ? {} : serverFields(worker)),
  };
}

function serverFields({ plane, address }: RoutedWorker): SpanFields {
  if (plane === 'nats') return { 'messaging.destination.name': address };
  try {
    const { host, port } = parseWorkerAddress(address);
    return { 'server.address': host, 'server.port': port };
  } catch {
    return {};
  }
}

/** The failure that an item stands for, in the form that a thrown one has. */
export function errorOfItem(item: unknown): { readonly name: string; readonly code: string; readonly errorType: string } | undefined {
  if (typeof item !== 'object' || item === null) return undefined;
  const error = itemError(item);
  return error === undefined ? undefined : { name: 'DynamoTracingError', code: 'ERR_WORKER_ERROR', errorType: error.errorType };
}
