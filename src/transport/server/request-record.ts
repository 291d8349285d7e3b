import { ROOT_CONTEXT, trace, type Context } from '@opentelemetry/api';
import { DynamoTracingError } from '../../errors/index.js';
import { guarded, monotonicMs } from '../../internal/index.js';
import { createRequestLogger, RECORD_TARGETS, type Log, type RequestLogger } from '../../logging/index.js';
import type { RequestHeaders } from '../../protocol/index.js';
import { SPANS, startSpan, type TracedSpan } from '../../spans/index.js';
import { currentTraceContext, extractTrace, isUsableXRequestId, newRequestId, remoteSpanContext, traceHeaders, type DistributedTraceContext, type TraceHeaders } from '../../trace-context/index.js';
import type { ServerSettings } from '../settings.js';
import type { RequestContext, WorkerCompletion, WorkerRequest } from '../types.js';
import type { Arrival, EndpointEntry } from './taken-request.js';

/** How a request ended for the worker. */
export interface RequestOutcome {
  readonly status: 'success' | 'error' | 'cancelled';
  /** '' when all is well. */
  readonly errorType: '' | 'cancelled' | 'internal' | 'validation' | 'unavailable';
  readonly failed?: WorkerCompletion['failed'];
  readonly detail?: string;
  /** How the caller cancelled. */
  readonly signal?: string | undefined;
  /** `error.type` of the span, when it failed. */
  readonly spanError?: string;
}

/** Dynamo's `error_type` of workers, where the outcome does not say it. */
const FAILED: Readonly<Record<RequestOutcome['errorType'], WorkerCompletion['failed']>> = { '': undefined, cancelled: undefined, internal: 'generate', validation: 'deserialization', unavailable: 'response_stream' };

/** The `handle_payload` span of one request and its two records: begun together, completed exactly once. */
export class RequestRecord {
  readonly requestId: string;
  readonly xRequestId: string | undefined;
  readonly span: TracedSpan;
  /** Bytes of the items that were sent. */
  responseBytes = 0;
  readonly #startedAt = monotonicMs();
  #firstResponseMs: number | undefined;
  #completed = false;

  constructor(
    headers: RequestHeaders,
    controlId: string | undefined,
    private readonly entry: EndpointEntry,
    private readonly arrival: Arrival,
    private readonly settings: ServerSettings,
  ) {
    this.requestId = requestIdOf(headers, controlId);
    this.xRequestId = usable(headers['x-request-id']);
    const fields = { request_id: this.requestId, x_request_id: this.xRequestId, tracestate: headers['tracestate'], ...entry.fields };
    this.span = startSpan(SPANS.handlePayload, { settings: settings.attributes, parent: parentOf(headers), fields, identity: { requestId: this.requestId, xRequestId: this.xRequestId }, logFields: entry.fields });
    this.#emit(settings.lifecycleLevel, 'request received', entry.fields);
    const { observer } = settings;
    if (observer?.onReceived !== undefined) guarded('observer.onReceived', () => observer.onReceived?.(this.#request()), undefined);
  }

  /** The prologue says that there will be a response. */
  responded(): void {
    this.#firstResponseMs ??= monotonicMs() - this.#startedAt;
  }

  complete(outcome: RequestOutcome): void {
    if (this.#completed) return;
    this.#completed = true;
    const { status, errorType, detail, signal, spanError } = outcome;
    const elapsed = monotonicMs() - this.#startedAt;
    const elapsedMs = Math.trunc(elapsed);
    const failure = errorType === '' ? {} : { error_type: errorType, error_detail: detail };
    this.#emit(status === 'error' ? 'error' : this.settings.lifecycleLevel, 'request completed', { ...this.entry.fields, status, ...failure, elapsed_ms: elapsedMs });
    if (signal !== undefined) this.span.setRaw({ 'cancellation.signal': signal });
    if (status === 'error') this.span.fail(spanError ?? errorType, detail);
    this.#tellEnd(outcome, elapsed);
    this.span.end();
  }

  #tellEnd({ status, errorType, failed }: RequestOutcome, elapsedMs: number): void {
    const { observer } = this.settings;
    if (observer?.onCompleted === undefined) return;
    const { traceId, spanId } = this.span.scope;
    const completion = { ...this.#request(), status, failed: failed ?? FAILED[errorType], elapsedMs, firstResponseMs: this.#firstResponseMs, responseBytes: this.responseBytes, traceId, spanId, sampled: this.span.sampled };
    guarded('observer.onCompleted', () => observer.onCompleted?.(completion), undefined);
  }

  #request(): WorkerRequest {
    const { namespace, component, endpoint, instanceId } = this.entry;
    const { at, bytes, transitMs } = this.arrival;
    return { namespace, component, endpoint, instanceId, requestId: this.requestId, requestBytes: bytes, waitedMs: this.#startedAt - at, transitMs };
  }

  #emit(level: 'info' | 'debug' | 'error', message: string, fields: Readonly<Record<string, unknown>>): void {
    this.settings.logger.emit(level, RECORD_TARGETS.worker, message, fields, { display: true, context: this.span.context, scope: this.span.scope });
  }
}

function parentOf(headers: RequestHeaders): Context {
  const extracted = extractTrace({ get: (name) => headers[name], keys: () => Object.keys(headers) });
  return extracted === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remoteSpanContext(extracted));
}

/** The caller's id as it stands, Dynamo's workers check nothing; but bounded, and of characters that a log can hold. */
function requestIdOf(headers: RequestHeaders, controlId: string | undefined): string {
  return usable(headers['request-id']) ?? usable(headers['x-dynamo-request-id']) ?? usable(controlId) ?? newRequestId();
}

function usable(id: string | undefined): string | undefined {
  return id !== undefined && isUsableXRequestId(id) ? id : undefined;
}

/** What a handler gets. The signal and the logger are made when they are first asked for. */
export class WorkerRequestContext implements RequestContext {
  readonly requestId: string;
  readonly xRequestId: string | undefined;
  private readonly span: TracedSpan;
  readonly namespace: string;
  readonly component: string;
  readonly endpoint: string;
  readonly instanceId: bigint;
  #controller: AbortController | undefined;
  #log: RequestLogger | undefined;
  #stopped = false;
  #killed = false;

  constructor(
    readonly headers: RequestHeaders,
    readonly metadata: Readonly<Record<string, string>>,
    entry: EndpointEntry,
    { requestId, xRequestId, span }: RequestRecord,
    private readonly recorder: Log,
  ) {
    this.requestId = requestId;
    this.xRequestId = xRequestId;
    this.span = span;
    ({ namespace: this.namespace, component: this.component, endpoint: this.endpoint, instanceId: this.instanceId } = entry);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#stopped) this.#abort();
    }
    return this.#controller.signal;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  get killed(): boolean {
    return this.#killed;
  }

  get trace(): DistributedTraceContext {
    return currentTraceContext(this.span.context) ?? this.span.scope;
  }

  get log(): RequestLogger {
    return (this.#log ??= createRequestLogger(this.recorder, this.span.context));
  }

  traceHeaders(): TraceHeaders {
    return traceHeaders(this.span.context);
  }

  /** @internal The caller wants no more, or nothing any more. */
  cancel(signal: 'stop' | 'kill'): void {
    this.#killed ||= signal === 'kill';
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#controller !== undefined) this.#abort();
  }

  #abort(): void {
    this.#controller?.abort(new DynamoTracingError('ERR_CANCELLED', 'the caller cancelled the request', { signal: this.#killed ? 'kill' : 'stop' }));
  }
}
