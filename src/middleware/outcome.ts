import { monotonicMs } from '../internal/index.js';
import type { LogFields } from '../logging/index.js';
import type { SpanFields } from '../spans/index.js';
import { classifyError, errorDetail, errorTypeOfObserved } from './error-type.js';
import type { CompletedRequest, CompletionStatus, TokenUsage, WorkerIds } from './completed-request.js';
import type { ResponseFacts } from './observation/index.js';

/** The model's name in records when no body has told it. */
export const UNKNOWN_MODEL = 'unknown_model';

/** What ended a request, as the adapter saw it. */
export interface Ending {
  /** The response went out whole. */
  readonly complete: boolean;
  /** The client went away; otherwise it was this process that cut the response short. */
  readonly clientLeft: boolean;
}

/** A failure that the handler declared. */
export interface Failure {
  readonly type: string;
  readonly detail: string | undefined;
}

/** Everything that is known of a request when it ends. */
export interface Evidence {
  readonly ids: Pick<CompletedRequest, 'requestId' | 'xRequestId' | 'traceId'>;
  /** Monotonic milliseconds at its arrival. */
  readonly startedAt: number;
  readonly model: string;
  readonly requestedModel: string;
  readonly endpoint: string;
  readonly requestType: 'unary' | 'stream';
  readonly httpStatus: number | undefined;
  /** A body parser has taken the request's body. */
  readonly bodyParsed: boolean;
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
  const { ids, startedAt, seen, usage, workers } = evidence;
  const [status, errorType] = outcomeOf(evidence);
  return {
    requestId: ids.requestId,
    xRequestId: ids.xRequestId,
    traceId: ids.traceId,
    model: evidence.model,
    requestedModel: evidence.requestedModel,
    endpoint: evidence.endpoint,
    requestType: evidence.requestType,
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
    workers: { prefill: workers.prefill ?? seen?.prefillWorkerId, decode: workers.decode ?? seen?.decodeWorkerId },
  };
}

function outcomeOf({ failure, httpStatus, bodyParsed, seen, ending }: Evidence): [CompletionStatus, string] {
  // A body parser answers 400 to a body that was broken off: nobody is there to read it.
  if (!bodyParsed && ending.clientLeft && !ending.complete && failure === undefined) return ['cancelled', 'cancelled'];
  // What is refused before its body is understood is the client's fault, in whatever words the framework says so.
  const message = bodyParsed ? seen?.error?.message : undefined;
  const type = failure?.type ?? (httpStatus !== undefined && httpStatus >= 400 ? classifyError(httpStatus, message, { type: seen?.error?.type }) : undefined);
  if (type !== undefined) return failed(type);
  if (seen?.error !== undefined) return failed(errorTypeOfObserved(seen.error));
  if (ending.complete) return ['success', 'none'];
  return ending.clientLeft ? ['cancelled', 'cancelled'] : ['error', 'internal'];
}

function failed(type: string): [CompletionStatus, string] {
  return [type === 'cancelled' ? 'cancelled' : 'error', type];
}

/** The fields of `request completed`. */
export function recordFields(completed: CompletedRequest, detail: string | undefined): LogFields {
  const failed = completed.status !== 'success';
  return {
    model: completed.model,
    endpoint: completed.endpoint,
    request_type: completed.requestType,
    status: completed.status,
    error_type: failed ? completed.errorType : undefined,
    error_detail: failed ? (detail ?? errorDetail(completed.errorType)) : undefined,
    elapsed_ms: Math.trunc(completed.elapsedMs),
    input_tokens: completed.inputTokens,
    output_tokens: completed.outputTokens,
    output_tokens_estimated: completed.outputTokensEstimated ? true : undefined,
    cached_tokens: completed.cachedTokens,
    ttft_ms: completed.ttftMs,
    avg_itl_ms: completed.avgItlMs,
    finish_reason: completed.finishReason,
    response_id: completed.responseId,
    prefill_worker_id: completed.workers.prefill?.toString(),
    decode_worker_id: completed.workers.decode?.toString(),
  };
}

/** The fields that the request's span gets at its end. */
export function spanFields(completed: CompletedRequest, route: string | undefined): SpanFields {
  return {
    model: completed.model === UNKNOWN_MODEL ? undefined : completed.model,
    input_tokens: completed.inputTokens,
    output_tokens: completed.outputTokens,
    cached_tokens: completed.cachedTokens,
    ttft_ms: completed.ttftMs,
    avg_itl_ms: completed.avgItlMs,
    finish_reason: completed.finishReason,
    response_id: completed.responseId,
    prefill_worker_id: completed.workers.prefill,
    decode_worker_id: completed.workers.decode,
    'request.outcome': completed.status,
    status: completed.httpStatus,
    route,
  };
}

function averageInterTokenLatency(seen: ResponseFacts | undefined, given: number | undefined): number | undefined {
  if (seen?.firstTokenAt === undefined || seen.lastTokenAt === undefined) return undefined;
  const tokens = given ?? seen.outputTokens ?? seen.tokenChunks;
  return tokens > 1 ? round((seen.lastTokenAt - seen.firstTokenAt) / (tokens - 1)) : undefined;
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
