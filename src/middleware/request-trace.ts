import type { RequestLogger } from '../logging/index.js';
import type { DistributedTraceContext, TraceHeaders } from '../trace-context/index.js';
import type { TokenUsage, WorkerIds } from './completed-request.js';

/** What a handler finds at `req.trace` (Express) and `request.trace` (Fastify). */
export interface RequestTrace {
  /** The canonical id: a UUID, the caller's `request-id` or a new one. */
  readonly requestId: string;
  /** The caller's own `x-request-id`. */
  readonly xRequestId: string | undefined;
  readonly traceId: string;
  /** The request's own span. */
  readonly spanId: string;
  /** The trace context of the innermost live span inside this request. */
  readonly context: DistributedTraceContext;
  /** A logger whose lines carry this request's ids wherever they are written. */
  readonly log: RequestLogger;
  /** Aborts when the client goes away before the response is complete. */
  readonly signal: AbortSignal;
  /** Metadata of the request: its `x-dynamo-meta-*` headers without the prefix. @throws ERR_METADATA_TOO_LARGE (status 431) */
  readonly metadata: Readonly<Record<string, string>>;
  /** Headers that continue this request on another hop, for any carrier. */
  headers(): TraceHeaders;
  /** Runs `fn` in the request's context. */
  run<T>(fn: () => T): T;
  /** A function that runs in the request's context whenever it is called: for timers, queues and other detached work. */
  bind<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R;
  /** Tokens, from a handler that knows better than the response says. */
  usage(tokens: TokenUsage): void;
  /** The model that really served, in place of the one asked for. */
  model(name: string): void;
  /** The workers that served the request. */
  workers(ids: WorkerIds): void;
  /** The request has failed, whatever the response's status. `type` is an error type of docs/records.md. */
  fail(type: string, detail?: string): void;
}
