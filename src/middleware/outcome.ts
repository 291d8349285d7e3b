import { monotonicMs } from '../internal/index.js';
import type { LogFields } from '../logging/index.js';
import type { SpanFields } from '../spans/index.js';
import type { CompletedRequest, CompletionStatus, ReceivedRequest, TokenUsage, WorkerIds } from './completed-request.js';
import type { Ending } from './ending.js';
import { classifyError, errorDetail, errorTypeOfObserved } from './error-type.js';
import type { ResponseFacts } from './observation/index.js';

/** The model's name in records when no body has told it. */
export const UNKNOWN_MODEL = 'unknown_model';

/** A failure that the handler declared. */
export interface Failure {
  readonly type: string;
  readonly detail: string | undefined;
}

/** Everything that is known of a request when it ends. */
export interface Evidence {
  /** What `request received` said. */
  readonly received: ReceivedRequest;
  readonly ids: Pick<CompletedRequest, 'xRequestId' | 'traceId' | 'spanId' | 'sampled' | 'upstreamRequestId' | 'operation' | 'provider' | 'fields'>;
  /** Monotonic milliseconds at its arrival. */
  readonly startedAt: number;
  /** The model that the handler named. */
  readonly model: string | undefined;
  readonly httpStatus: number | undefined;
  /** Somebody has understood what the body asks for. */
  readonly isBodyUnderstood: boolean;
  /** The head was written when the connection had gone: nobody has read its status. */
  readonly isUnread: boolean;
  readonly ending: Ending;
  /** What the response showed. */
  readonly seen: ResponseFacts | undefined;
  /** What the handler said: it wins over what was seen. */
  readonly usage: TokenUsage;
  readonly workers: WorkerIds;
  readonly failure: Failure | undefined;
}

/** Sums up an ended request. The rules of each field are in docs/records.md. */
export function completionOf(evidence: Evidence): CompletedRequest {
  const { received, ids, startedAt, seen, usage, workers } = evidence;
  const [status, errorType] = outcomeOf(evidence);
  return {
    ...ids,
    requestId: received.requestId,
    model: evidence.model ?? received.model,
    requestedModel: received.model,
    endpoint: received.endpoint,
    requestType: received.requestType,
    status,
    errorType,
    httpStatus: evidence.httpStatus,
    elapsedMs: monotonicMs() - startedAt,
    inputTokens: usage.inputTokens ?? seen?.inputTokens,
    outputTokens: usage.outputTokens ?? seen?.outputTokens,
    cachedTokens: usage.cachedTokens ?? seen?.cachedTokens,
    outputTokensEstimated: usage.outputTokens === undefined && seen?.outputTokensEstimated === true,
    ttftMs: seen?.firstTokenAt === undefined ? undefined : round(seen.firstTokenAt - startedAt),
    avgItlMs: averageInterTokenLatency(seen, usage.outputTokens),
    finishReason: seen?.finishReason,
    responseId: seen?.responseId,
    responseModel: seen?.model,
    workers: { prefill: workers.prefill ?? seen?.prefillWorkerId, decode: workers.decode ?? seen?.decodeWorkerId },
  };
}

function outcomeOf({ failure, httpStatus, isBodyUnderstood, isUnread, seen, ending }: Evidence): [CompletionStatus, string] {
  // A body parser answers 400 to a body that was broken off: nobody is there to read it.
  if (!isBodyUnderstood && !ending.complete && failure === undefined) {
    if (ending.clientLeft) return ['cancelled', 'cancelled'];
    if (isUnread) return ['error', 'internal'];
  }
  // What is refused before its body is understood is the client's fault, in whatever words the framework says so.
  const message = isBodyUnderstood ? seen?.error?.message : undefined;
  const type = failure?.type ?? (httpStatus !== undefined && httpStatus >= 400 ? classifyError(httpStatus, message, { type: seen?.error?.type }) : undefined);
  if (type !== undefined) return failed(type);
  if (seen?.error !== undefined) return failed(errorTypeOfObserved(seen.error));
  if (ending.complete) return ['success', 'none'];
  return ending.clientLeft ? ['cancelled', 'cancelled'] : ['error', 'internal'];
}

function failed(type: string): [CompletionStatus, string] {
  return [type === 'cancelled' ? 'cancelled' : 'error', type];
}

/** What both the record and the span of an ended request say. */
function sharedFields({ inputTokens, outputTokens, cachedTokens, ttftMs, avgItlMs, finishReason, responseId, workers, upstreamRequestId }: CompletedRequest): Readonly<Record<string, string | number | undefined>> {
  return {
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    cached_tokens: cachedTokens,
    ttft_ms: ttftMs,
    avg_itl_ms: avgItlMs,
    finish_reason: finishReason,
    response_id: responseId,
    prefill_worker_id: workers.prefill?.toString(),
    decode_worker_id: workers.decode?.toString(),
    upstream_request_id: upstreamRequestId,
  };
}

/** The fields of `request completed`. */
export function recordFields(completed: CompletedRequest, detail: string | undefined): LogFields {
  const failed = completed.status !== 'success';
  return {
    ...sharedFields(completed),
    model: completed.model,
    endpoint: completed.endpoint,
    request_type: completed.requestType,
    status: completed.status,
    error_type: failed ? completed.errorType : undefined,
    error_detail: failed ? (detail ?? errorDetail(completed.errorType)) : undefined,
    elapsed_ms: Math.trunc(completed.elapsedMs),
    output_tokens_estimated: completed.outputTokensEstimated ? true : undefined,
  };
}

/** The fields that the request's span gets at its end, beside those of its response head. */
export function spanFields(completed: CompletedRequest): SpanFields {
  return { ...sharedFields(completed), model: completed.model === UNKNOWN_MODEL ? undefined : completed.model, response_model: completed.responseModel, 'request.outcome': completed.status };
}

function averageInterTokenLatency(seen: ResponseFacts | undefined, given: number | undefined): number | undefined {
  if (seen?.firstTokenAt === undefined || seen.lastTokenAt === undefined) return undefined;
  const tokens = given ?? seen.outputTokens ?? seen.tokenChunks;
  return tokens > 1 ? round((seen.lastTokenAt - seen.firstTokenAt) / (tokens - 1)) : undefined;
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
