import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { SpanKind } from '@opentelemetry/api';
import { guarded, monotonicMs } from '../internal/index.js';
import { createRequestLogger, RECORD_TARGETS, type LogFields, type RequestLogger } from '../logging/index.js';
import { SPANS, startSpan, type TracedSpan } from '../spans/index.js';
import { bindToContext, carrierOf, currentTraceContext, runInContext, traceHeaders, type DistributedTraceContext, type TraceHeaders } from '../trace-context/index.js';
import type { TokenUsage, WorkerIds } from './completed-request.js';
import { completionOf, recordFields, spanFields, UNKNOWN_MODEL, type Ending, type Failure } from './outcome.js';
import { DIALECTS } from './dialects/index.js';
import { identify, warnAboutIds, type Identity } from './identity.js';
import { readMetadata } from './metadata.js';
import { ResponseObserver } from './observation/index.js';
import { pathOf, type Tracing } from './options.js';
import { BodyWatch, readBody, type BodyFacts } from './request-body.js';
import type { RequestTrace } from './request-trace.js';
import type { RouteClass } from './routes.js';
import { setHttpRoute } from './server-span.js';

/**
 * One request from arrival to the end of its response, for any framework: the adapter says when the body is known, the head
 * is written, a chunk has gone out, and how it ended. Writes each record once. Is the handler's `req.trace`.
 */
export class RequestLifecycle implements RequestTrace {
  readonly #startedAt = monotonicMs();
  readonly #span: TracedSpan;
  readonly #observer: ResponseObserver | undefined;
  readonly #bodyWatch: BodyWatch | undefined;
  #body: BodyFacts | undefined;
  #parsed = false;
  #received = false;
  #headSent = false;
  #finished = false;
  #cutShort = false;
  #status: number | undefined;
  #route: string | undefined;
  #usage: TokenUsage = {};
  #model: string | undefined;
  #workers: WorkerIds = {};
  #failure: Failure | undefined;
  #log: RequestLogger | undefined;
  #abort: AbortController | undefined;
  #metadata: Readonly<Record<string, string>> | undefined;

  readonly identity: Identity;

  constructor(
    private readonly tracing: Tracing,
    private readonly req: IncomingMessage,
    readonly routeClass: RouteClass,
    url: string,
  ) {
    this.identity = identify(tracing, req);
    this.#route = routeClass.route;
    this.#span = this.#startSpan(tracing.includeQuery ? url : pathOf(url));
    if (this.isInference) {
      this.#observer = tracing.observeResponses ? new ResponseObserver(DIALECTS[routeClass.dialect]) : undefined;
      this.#bodyWatch = new BodyWatch(req, this);
    }
    warnAboutIds(tracing.log, this.identity, this.#span.context);
  }

  get isInference(): boolean {
    return this.routeClass.kind === 'inference';
  }

  // What the handler uses.

  get requestId(): string {
    return this.identity.requestId;
  }

  get xRequestId(): string | undefined {
    return this.identity.xRequestId;
  }

  get traceId(): string {
    return this.#span.scope.traceId;
  }

  get spanId(): string {
    return this.#span.scope.spanId;
  }

  get context(): DistributedTraceContext {
    return currentTraceContext(this.#span.context) ?? this.#span.scope;
  }

  get log(): RequestLogger {
    return (this.#log ??= createRequestLogger(this.tracing.log, this.#span.context));
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#cutShort) this.#abort.abort(); // asked for after the client has gone
    }
    return this.#abort.signal;
  }

  get metadata(): Readonly<Record<string, string>> {
    return (this.#metadata ??= readMetadata({ get: (name) => this.req.headers[name], keys: () => Object.keys(this.req.headers) }));
  }

  headers(): TraceHeaders {
    return traceHeaders(this.#span.context);
  }

  run<T>(fn: () => T): T {
    return runInContext(this.#span.context, fn);
  }

  bind<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
    return bindToContext(this.#span.context, fn);
  }

  usage(tokens: TokenUsage): void {
    this.#usage = { ...this.#usage, ...tokens };
  }

  model(name: string): void {
    this.#model = name;
  }

  workers(ids: WorkerIds): void {
    this.#workers = { ...this.#workers, ...ids };
  }

  fail(type: string, detail?: string): void {
    this.#failure ??= { type, detail };
  }

  // What the adapter tells.

  /** The route that the framework matched, for `http.route`; the table's own comes first. */
  routeMatched(route: string | undefined): void {
    this.#route ??= route;
  }

  /** The request body has been understood: now the request counts as received. */
  bodyKnown(facts: BodyFacts | undefined): void {
    if (!this.isInference || this.#received) return;
    this.#body = facts;
    this.#received = true;
    this.#bodyWatch?.drop();
    const received = { requestId: this.requestId, model: this.#requestedModel(), endpoint: this.routeClass.endpoint, requestType: this.#requestType() };
    this.#emit(this.tracing.routineLevel, 'request received', { model: received.model, endpoint: received.endpoint, request_type: received.requestType });
    if (this.tracing.onReceived !== undefined) guarded('onReceived', () => this.tracing.onReceived?.(received), undefined);
  }

  /** The response begins or has ended: what has arrived of the body must do. */
  #bodyAtLatest(): void {
    if (!this.#received) this.bodyKnown(this.#bodyWatch?.fromBytes());
  }

  /** A parsed body, from a framework that shows it. */
  bodyParsed(body: unknown): boolean {
    const facts = readBody(body);
    if (facts === undefined) return false;
    this.#parsed = true;
    this.bodyKnown(facts);
    return true;
  }

  /** The response head has been written. */
  headWritten(res: ServerResponse, given: OutgoingHttpHeaders | undefined): void {
    if (this.#headSent) return;
    this.#headSent = true;
    this.#status = res.statusCode;
    this.#bodyAtLatest();
    const failed = res.statusCode >= 400;
    const level = failed ? 'error' : this.isInference ? 'info' : 'debug';
    this.#emit(level, 'http response sent', { status: res.statusCode, latency_ms: this.#elapsed() });
    this.#observer?.head(res.statusCode, headerText(res, given, 'content-type'), headerText(res, given, 'content-encoding'));
  }

  /** A piece of the response body has been handed on. */
  chunkWritten(chunk: unknown, encoding: unknown): void {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return;
    this.#observer?.chunk(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : undefined, monotonicMs());
  }

  /** The response has closed, for whatever reason. The first call counts. */
  finish(ending: Ending): void {
    if (this.#finished) return;
    this.#finished = true;
    if (this.isInference) this.#complete(ending);
    else this.#endSpan(this.#status !== undefined && this.#status >= 500 ? 'internal' : undefined, { status: this.#status, route: this.#route });
    this.#cutShort = !ending.complete;
    if (this.#cutShort) this.#abort?.abort();
  }

  #startSpan(uri: string): TracedSpan {
    const { identity, req, tracing } = this;
    const { requestId, xRequestId } = identity;
    const method = req.method ?? 'GET';
    return startSpan(this.isInference ? SPANS.inferenceRequest : SPANS.systemRequest, {
      settings: tracing.spans,
      parent: identity.parent,
      fields: { method, uri, version: `HTTP/${req.httpVersion}`, request_id: requestId, x_request_id: xRequestId },
      identity,
      logFields: { method, uri: uri.slice(0, MAX_URI_LENGTH) },
      kind: identity.insideServerSpan ? SpanKind.INTERNAL : undefined,
      links: identity.links,
    });
  }

  #complete(ending: Ending): void {
    this.#bodyAtLatest();
    this.#observer?.end(monotonicMs());
    const completed = completionOf({
      ids: this,
      startedAt: this.#startedAt,
      model: this.#model ?? this.#requestedModel(),
      requestedModel: this.#requestedModel(),
      endpoint: this.routeClass.endpoint,
      requestType: this.#requestType(),
      httpStatus: this.#status,
      bodyParsed: this.#parsed,
      ending,
      seen: this.#observer?.facts(),
      usage: this.#usage,
      workers: this.#workers,
      failure: this.#failure,
    });
    if (completed.status === 'cancelled') {
      this.#emit('warn', 'request cancelled', { request_type: completed.requestType, error_type: completed.errorType, elapsed_ms: this.#elapsed() });
    }
    const failed = completed.status === 'error';
    this.#emit(failed ? 'error' : completed.status === 'success' ? this.tracing.routineLevel : 'info', 'request completed', recordFields(completed, this.#failure?.detail));
    // A 4xx is the client's fault: by the semantic conventions a server span stays unset then.
    const clientFault = this.#status !== undefined && this.#status >= 400 && this.#status < 500;
    this.#endSpan(failed && !clientFault ? completed.errorType : undefined, spanFields(completed, this.#route));
    guarded('onCompleted', () => this.tracing.onCompleted?.(completed), undefined);
  }

  #endSpan(errorType: string | undefined, fields: Parameters<TracedSpan['set']>[0]): void {
    if (this.identity.insideServerSpan) setHttpRoute(this.#span.context, this.#route);
    this.#span.set(fields);
    if (errorType !== undefined) this.#span.fail(errorType);
    this.#span.end();
  }

  #requestedModel(): string {
    return this.#body?.model ?? UNKNOWN_MODEL;
  }

  #requestType(): 'unary' | 'stream' {
    return this.#body?.stream === true || (this.#body === undefined && this.#observer?.streaming === true) ? 'stream' : 'unary';
  }

  #elapsed(): number {
    return Math.trunc(monotonicMs() - this.#startedAt);
  }

  #emit(level: 'debug' | 'info' | 'warn' | 'error', message: string, fields: LogFields): void {
    this.tracing.log.emit(level, RECORD_TARGETS.request, message, fields, { context: this.#span.context, scope: this.#span.scope, display: true });
  }
}

const MAX_URI_LENGTH = 2048;

/** A response header, whether it was set before or given with the head. */
function headerText(res: ServerResponse, given: OutgoingHttpHeaders | undefined, name: string): string | undefined {
  const value = res.getHeader(name) ?? (given === undefined ? undefined : carrierOf(given).get(name));
  return value === undefined ? undefined : String(value);
}
