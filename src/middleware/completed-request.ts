/** How a request ended. */
export type CompletionStatus = 'success' | 'error' | 'cancelled';

/** Tokens of a request; what is not known is absent. */
export interface TokenUsage {
  readonly inputTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly cachedTokens?: number | undefined;
}

/** Ids of the workers that served a request. u64 ids are BigInt or text: a number cannot hold them. */
export interface WorkerIds {
  readonly prefill?: string | bigint | undefined;
  readonly decode?: string | bigint | undefined;
}

/** An inference request that has been received: what the `request received` record says. */
export interface ReceivedRequest {
  readonly requestId: string;
  readonly model: string;
  readonly endpoint: string;
  readonly requestType: 'unary' | 'stream';
}

/** One ended inference request: what the `request completed` record says, with numbers as numbers. */
export interface CompletedRequest extends TokenUsage {
  readonly requestId: string;
  readonly xRequestId: string | undefined;
  readonly traceId: string;
  /** The request's span. */
  readonly spanId: string;
  /** Whether the trace is kept: an SDK records the request's span, and its sampler has taken it. */
  readonly sampled: boolean;
  /** What an upstream called the request, when a proxy has copied its headers. */
  readonly upstreamRequestId: string | undefined;
  /** The model that served, by the handler's word; else the one asked for. */
  readonly model: string;
  /** The model asked for: the `model` of its {@link ReceivedRequest}. */
  readonly requestedModel: string;
  readonly endpoint: string;
  readonly requestType: 'unary' | 'stream';
  /** What was asked for, as `gen_ai.operation.name` of the semantic conventions says it: `chat`, `embeddings`, ... */
  readonly operation: string;
  /** Whose API it was, as `gen_ai.provider.name`: `openai`, `anthropic`, ... */
  readonly provider: string;
  readonly status: CompletionStatus;
  /** `none` when the request succeeded. */
  readonly errorType: string;
  readonly httpStatus: number | undefined;
  /** Milliseconds from the request's arrival to its end. */
  readonly elapsedMs: number;
  /** Milliseconds to the first token. */
  readonly ttftMs: number | undefined;
  /** Mean milliseconds between tokens after the first. */
  readonly avgItlMs: number | undefined;
  readonly outputTokensEstimated: boolean;
  readonly finishReason: string | undefined;
  readonly responseId: string | undefined;
  /** The model that answered, by the response's own word. */
  readonly responseModel: string | undefined;
  readonly workers: WorkerIds;
  /** Fields of the application, as `trace.set()` was given them. */
  readonly fields: Readonly<Record<string, string | number | boolean>>;
}

/** One ended system request: a health check, a list of models, a page of the application. */
export interface SystemRequest {
  readonly requestId: string;
  readonly traceId: string;
  readonly spanId: string;
  /** As that of {@link CompletedRequest}. */
  readonly sampled: boolean;
  readonly method: string;
  /** The route as the framework or the route table has it, with its parameters by name; undefined when none matched. */
  readonly route: string | undefined;
  /** Undefined when the request ended before its response began. */
  readonly httpStatus: number | undefined;
  /** Milliseconds from the request's arrival to its end. */
  readonly elapsedMs: number;
}
