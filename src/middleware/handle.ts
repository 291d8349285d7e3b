import type { IncomingMessage } from 'node:http';
import type { Context } from '@opentelemetry/api';
import { createRequestLogger, type Log, type RequestLogger } from '../logging/index.js';
import type { TracedSpan } from '../spans/index.js';
import { activeContext, currentRequest, currentTraceContext, getTraceScope, runInContext, runInRequest, traceHeaders, type DistributedTraceContext, type RequestIds, type TraceHeaders } from '../trace-context/index.js';
import type { TokenUsage, WorkerIds } from './completed-request.js';
import { readMetadata } from './metadata.js';
import type { OwnFields, RequestTrace } from './request-trace.js';

/** What a handle passes on to the one who writes the request down. */
export interface Reporter extends Pick<RequestTrace, 'usage' | 'model' | 'workers' | 'fail' | 'set' | 'echo'> {
  readonly tracing: { readonly logger: Log };
}

/** A handler's view of its request. */
export class RequestHandle implements RequestTrace {
  readonly requestId: string;
  readonly xRequestId: string | undefined;
  readonly #reporter: Reporter;
  readonly #span: TracedSpan;
  readonly #req: Pick<IncomingMessage, 'headers'>;
  #log: RequestLogger | undefined;
  #abort: AbortController | undefined;
  #isCut = false;
  #metadata: Readonly<Record<string, string>> | undefined;

  constructor(reporter: Reporter, ids: RequestIds, span: TracedSpan, req: Pick<IncomingMessage, 'headers'>) {
    this.#reporter = reporter;
    this.#span = span;
    this.#req = req;
    this.requestId = ids.requestId;
    this.xRequestId = ids.xRequestId;
  }

  get traceId(): string {
    return this.#span.scope.traceId;
  }

  get spanId(): string {
    return this.#span.scope.spanId;
  }

  get context(): DistributedTraceContext {
    return currentTraceContext(this.#innermost()) ?? this.#span.scope;
  }

  get log(): RequestLogger {
    return (this.#log ??= createRequestLogger(this.#reporter.tracing.logger, this.#span.context));
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#isCut) this.#abort.abort(); // asked for after the client has gone
    }
    return this.#abort.signal;
  }

  get metadata(): Readonly<Record<string, string>> {
    const { headers } = this.#req;
    return (this.#metadata ??= readMetadata({ get: (name) => headers[name], keys: () => Object.keys(headers) }));
  }

  headers(): TraceHeaders {
    return traceHeaders(this.#innermost());
  }

  run<T>(fn: () => T): T {
    return currentRequest() === this ? runInContext(this.#span.context, fn) : runInRequest(this, this.#span.context, fn);
  }

  bind<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
    const run = (call: () => R): R => this.run(call);
    return function bound(this: unknown, ...args: A): R {
      return run(() => fn.apply(this, args));
    };
  }

  usage(tokens: TokenUsage): void {
    this.#reporter.usage(tokens);
  }

  model(name: string): void {
    this.#reporter.model(name);
  }

  workers(ids: WorkerIds): void {
    this.#reporter.workers(ids);
  }

  fail(type: string, detail?: string): void {
    this.#reporter.fail(type, detail);
  }

  set(fields: OwnFields): void {
    this.#reporter.set(fields);
  }

  echo(ours: boolean): void {
    this.#reporter.echo(ours);
  }

  /** The context of the innermost span, when this is called inside the request; else that of the request's own. */
  #innermost(): Context {
    const active = currentRequest() === this ? activeContext() : undefined;
    return active !== undefined && getTraceScope(active) !== undefined ? active : this.#span.context;
  }

  /** The response was cut. Not a method: handlers must not call it. */
  static cut(handle: RequestHandle): void {
    handle.#isCut = true;
    handle.#abort?.abort();
  }
}
