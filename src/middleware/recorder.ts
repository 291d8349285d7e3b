import type { OutgoingHttpHeaders } from 'node:http';
import type { Context } from '@opentelemetry/api';
import { guarded, monotonicMs, reportFault } from '../internal/index.js';
import { errorFields, levelOf, RECORD_TARGETS, type LogFields, type RecordName } from '../logging/index.js';
import type { SpanFields } from '../spans/index.js';
import type { RequestIds } from '../trace-context/index.js';
import type { OutboundResponse } from './arrival.js';
import type { Beginning } from './beginning.js';
import type { CompletionStatus, ReceivedRequest, TokenUsage, WorkerIds } from './completed-request.js';
import { DIALECTS } from './dialects/index.js';
import { EchoedIds } from './echoed-ids.js';
import type { Ending, EndingListener } from './ending.js';
import { classifyThrown } from './error-answer.js';
import { classifyError } from './error-type.js';
import { RequestHandle } from './handle.js';
import { readFailure, readModel, readUsage, readWorkers } from './handler-values.js';
import { ResponseObserver } from './observation/index.js';
import type { Tracing } from './options.js';
import { completionOf, recordFields, spanFields, UNKNOWN_MODEL, type Failure } from './outcome.js';
import { OwnFieldStore } from './own-fields.js';
import { RequestBody } from './request-body.js';
import type { OwnFields } from './request-trace.js';
import { AI_SDK_HEADER, connectionOf, headerText } from './response-head.js';
import { genAiOf, type RouteClass } from './routes.js';
import { setHttpRoute } from './server-span.js';
import { SWITCHING_PROTOCOLS } from './upgrade.js';

/**
 * Writes down one request, for any framework, from its arrival to the end of its response: each record once, the span's fields, the
 * callbacks. Those who watch body, response and ending tell it what happens; handlers have its {@link RequestHandle} and no more.
 */
export class RequestRecorder implements EndingListener {
  readonly handle: RequestHandle;
  readonly isInference: boolean;
  readonly #startedAt = monotonicMs();
  readonly #observer: ResponseObserver | undefined;
  readonly #body: RequestBody | undefined;
  readonly #echo: EchoedIds;
  readonly #own: OwnFieldStore;
  #received: ReceivedRequest | undefined;
  #status: number | undefined;
  #matched: string | undefined;
  /** The head was written when the connection had gone. */
  #isUnread = false;
  #isOver = false;
  #hasThrown = false;
  #readsPayload = false;
  #usage: TokenUsage = {};
  #model: string | undefined;
  #workers: WorkerIds = {};
  #failure: Failure | undefined;

  constructor(readonly tracing: Tracing, private readonly beginning: Beginning) {
    const { req, res, routeClass, identity, span } = beginning;
    this.isInference = routeClass.kind === 'inference';
    this.handle = new RequestHandle(this, identity.ids, span, req);
    this.#own = new OwnFieldStore(beginning.logFields);
    this.#echo = new EchoedIds(identity.ids, tracing);
    this.#echo.set(res);
    if (this.isInference) {
      this.#observer = tracing.observeResponses ? new ResponseObserver(DIALECTS[routeClass.dialect]) : undefined;
      // Where only the response says whether it is a stream, the request counts as received when it begins.
      this.#body = new RequestBody(req, (facts) => {
        if (facts.stream !== undefined || DIALECTS[routeClass.dialect].text !== true) this.#bodyKnown();
      });
      if (this.#body.value !== undefined) this.#body.parsed(this.#body.value); // by a parser that stands before us
    }
  }

  get routeClass(): RouteClass {
    return this.beginning.routeClass;
  }

  get ids(): RequestIds {
    return this.beginning.identity.ids;
  }

  get context(): Context {
    return this.beginning.span.context;
  }

  /** Whether the chunks of the response are to be shown. */
  get watchesChunks(): boolean {
    return this.#observer !== undefined;
  }

  // What the handler tells, through its handle.

  usage(tokens: TokenUsage): void {
    this.#usage = { ...this.#usage, ...readUsage(tokens) };
  }

  model(name: string): void {
    this.#model = readModel(name) ?? this.#model;
  }

  workers(ids: WorkerIds): void {
    this.#workers = { ...this.#workers, ...readWorkers(ids) };
  }

  fail(type: string, detail?: string): void {
    this.#failure ??= readFailure(type, detail);
  }

  set(fields: OwnFields): void {
    if (!this.#isOver) guarded('trace.set', () => this.beginning.span.setRaw(this.#own.set(fields)), undefined);
  }

  echo(ours: boolean): void {
    this.#echo.enforce(ours, this.beginning.res);
  }

  // What those who watch tell.

  /** A body that the framework has parsed. */
  bodyParsed(body: unknown): void {
    this.#body?.parsed(body);
  }

  /** All of the body has come, and nobody will tell what it says. */
  bodyArrived(): void {
    this.#body?.settle();
  }

  /** Something that a handler threw, wherever it was caught. The first counts. */
  failedWith(error: unknown): void {
    const { status } = classifyThrown(error);
    if (!this.#isOver) this.#failUpgraded(status);
    if (this.#hasThrown || this.#isOver || status < 500) return; // a 4xx is the client's, and no failure of ours
    this.#hasThrown = true;
    this.#emit('request failed', { ...errorFields(error, this.tracing.errorMessages) });
    if (this.tracing.onError !== undefined) guarded('onError', () => this.tracing.onError?.(error, this.handle), undefined);
  }

  /** The head is about to be written: our ids are put back where a proxy has copied its upstream's over them. */
  headFollows(res: OutboundResponse): void {
    if (!res.headersSent) this.#echo.restore(res);
  }

  /** The headers given to writeHead, without ids that would go out in place of ours. */
  takeIds(headers: OutgoingHttpHeaders | unknown[]): OutgoingHttpHeaders | unknown[] {
    return this.#echo.takeFrom(headers);
  }

  /** The response head has been written. */
  headWritten(res: OutboundResponse, given: OutgoingHttpHeaders | undefined): void {
    this.#failUpgraded(res.statusCode);
    if (this.#status !== undefined || this.#isOver) return;
    if (!this.#readsPayload) this.#observer?.head(res.statusCode, headerText(res, given, 'content-type'), headerText(res, given, 'content-encoding'), headerText(res, given, AI_SDK_HEADER));
    this.#isUnread = connectionOf(res)?.destroyed === true;
    this.#responded(res.statusCode);
  }

  /** A status that nobody sees, because the connection has switched protocols: its WebSocket stays open, or is closed in good order. */
  #failUpgraded(status: number): void {
    if (this.#status === SWITCHING_PROTOCOLS && status >= 400) this.#failure ??= { type: classifyError(status), detail: undefined };
  }

  upgraded(status: number): void {
    if (this.#status === undefined && !this.#isOver) this.#responded(status);
  }

  /** A piece of the response body has been handed on. */
  chunkWritten(chunk: unknown, encoding: unknown): void {
    if (!this.#readsPayload) this.#read(chunk, encoding);
  }

  /** What is about to be sent will be compressed: its pieces are shown before that, and those of the response are not looked at. */
  payloadFollows(status: number, contentType: string | undefined): void {
    this.#readsPayload = true;
    this.#observer?.head(status, contentType, undefined);
  }

  payloadRead(piece: unknown): void {
    this.#read(piece, undefined);
  }

  ended(ending: Ending): void {
    if (this.#isOver) return;
    try {
      this.#findRoute();
      if (this.isInference) this.#complete(ending);
      else this.#completeSystem();
    } catch (error) {
      reportFault('request completed', error);
    } finally {
      this.#isOver = true;
      this.beginning.span.end();
      guarded('server span', () => this.beginning.release?.(), undefined);
      if (!ending.complete) RequestHandle.cut(this.handle);
    }
  }

  /** The request body has been understood: now the request counts as received. */
  #bodyKnown(): void {
    if (this.#received !== undefined) return;
    const { endpoint } = this.routeClass;
    const facts = this.#body?.facts;
    const isStream = facts?.stream ?? this.#observer?.streaming ?? false;
    this.#received = { requestId: this.ids.requestId, model: facts?.model ?? UNKNOWN_MODEL, endpoint, requestType: isStream ? 'stream' : 'unary' };
    this.#emit('request received', { model: this.#received.model, endpoint, request_type: this.#received.requestType });
    this.#tell('onReceived', () => ({ ...(this.#received as ReceivedRequest) }));
  }

  /** The response begins or has ended: what has arrived of the body must do. */
  #settleBody(): ReceivedRequest {
    if (this.#received === undefined) {
      this.#body?.settle();
      this.#bodyKnown();
    }
    return this.#received as unknown as ReceivedRequest;
  }

  #responded(status: number): void {
    this.#status = status;
    if (this.isInference) this.#settleBody();
    this.#findRoute();
    this.#emit('http response sent', { status, latency_ms: this.#elapsed() });
  }

  #findRoute(): void {
    this.#matched ??= guarded('route', this.beginning.routeOf, undefined);
  }

  /** The framework's route, unless it says less than the table's: a proxy's route is a wildcard. */
  get #route(): string | undefined {
    const { route } = this.routeClass;
    return this.#matched === undefined || (route !== undefined && this.#matched.includes('*')) ? route : this.#matched;
  }

  #complete(ending: Ending): void {
    const received = this.#settleBody();
    this.#observer?.end(monotonicMs());
    const completed = completionOf({
      received,
      ids: { ...this.#traceIds(), xRequestId: this.ids.xRequestId, upstreamRequestId: this.#echo.upstream, ...genAiOf(this.routeClass), fields: this.#own.fields },
      startedAt: this.#startedAt,
      model: this.#model,
      httpStatus: this.#status,
      isBodyUnderstood: this.#body?.isUnderstood === true,
      isUnread: this.#isUnread,
      ending,
      seen: this.#observer?.facts(),
      usage: this.#usage,
      workers: this.#workers,
      failure: this.#failure,
    });
    if (completed.status === 'cancelled') this.#emit('request cancelled', { request_type: completed.requestType, error_type: completed.errorType, elapsed_ms: this.#elapsed() });
    this.#emit('request completed', recordFields(completed, this.#failure?.detail), completed.status);
    // A 4xx is the client's fault: by the semantic conventions a server span stays unset then.
    const isClientFault = this.#status !== undefined && this.#status >= 400 && this.#status < 500;
    this.#finishSpan(completed.status === 'error' && !isClientFault ? completed.errorType : undefined, spanFields(completed));
    this.#tell('onCompleted', () => completed);
  }

  #completeSystem(): void {
    this.#finishSpan(this.#status !== undefined && this.#status >= 500 ? classifyError(this.#status) : undefined);
    const method = this.beginning.req.method ?? 'GET';
    this.#tell('onSystemCompleted', () => ({ ...this.#traceIds(), requestId: this.ids.requestId, method, route: this.#route, httpStatus: this.#status, elapsedMs: monotonicMs() - this.#startedAt }));
  }

  #traceIds(): { traceId: string; spanId: string; sampled: boolean } {
    return { traceId: this.handle.traceId, spanId: this.handle.spanId, sampled: this.beginning.span.sampled };
  }

  /** Calls a hook of the application, inside the request: what tells us of it (a framework's own promise, a Response's stream) may run outside. */
  #tell<K extends 'onReceived' | 'onCompleted' | 'onSystemCompleted'>(name: K, what: () => Parameters<NonNullable<Tracing[K]>>[0]): void {
    const hook = this.tracing[name] as ((told: unknown) => unknown) | undefined;
    if (hook !== undefined) guarded(name, () => this.handle.run(() => hook(what())), undefined);
  }

  #finishSpan(errorType: string | undefined, fields: SpanFields = {}): void {
    const { span, identity } = this.beginning;
    if (identity.isInside) setHttpRoute(span.context, this.#route);
    span.set({ ...fields, status: this.#status, route: this.#route });
    if (errorType !== undefined) span.fail(errorType);
  }

  #read(piece: unknown, encoding: unknown): void {
    if (this.#isOver || (typeof piece !== 'string' && !(piece instanceof Uint8Array))) return;
    this.#observer?.chunk(piece, typeof encoding === 'string' ? (encoding as BufferEncoding) : undefined, monotonicMs());
  }

  #elapsed(): number {
    return Math.trunc(monotonicMs() - this.#startedAt);
  }

  #emit(message: RecordName, fields: LogFields, outcome?: CompletionStatus): void {
    const { beginning, tracing } = this;
    const { context, scope } = beginning.span;
    const level = levelOf(message, { isSystem: !this.isInference, status: this.#status, outcome, routine: tracing.lifecycleLevel });
    // A request logger beside us says 'request completed' of every response.
    const alias = message === 'request completed' && guarded('request logger', beginning.hasRequestLogger, false) ? 'inference request completed' : undefined;
    tracing.logger.emit(level, RECORD_TARGETS.request, message, fields, { context, scope, display: true, alias });
  }
}
