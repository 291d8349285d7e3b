import type { RequestLogger } from '../logging/index.js';
import type { DistributedTraceContext, TraceHeaders } from '../trace-context/index.js';
import type { TokenUsage, WorkerIds } from './completed-request.js';

/** Fields of an application's own, by name. Undefined removes one. */
export type OwnFields = Readonly<Record<string, string | number | boolean | bigint | undefined>>;

/**
 * What a handler finds at `req.trace` (Express) and `request.trace` (Fastify), and `currentTrace()` anywhere inside the request. A
 * request that the `ignore` option leaves alone has one too: its ids are empty and what is told to it is forgotten.
 */
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
  /** Aborts when the client leaves or the response is cut before it is complete, and never after a complete one. */
  readonly signal: AbortSignal;
  /** Metadata of the request: its `x-dynamo-meta-*` headers without the prefix. @throws ERR_METADATA_TOO_LARGE (status 431) */
  readonly metadata: Readonly<Record<string, string>>;
  /** Headers that continue this request on another hop, for any carrier. */
  headers(): TraceHeaders;
  /** Runs `fn` in the request's context. */
  run<T>(fn: () => T): T;
  /** Returns a function that runs in the request's context whenever it is called: for timers, queues and other detached work. */
  bind<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R;
  /**
   * Adds fields of the application to `request completed`, to every later log line of the request and, under exactly these names,
   * to its span: `set({ tenant: 'acme' })`. At most 32 fields, names of at most 64 characters, text cut at 1,024 characters. Fields
   * of this package cannot be replaced. What does not fit is left out and reported once.
   */
  set(fields: OwnFields): void;
  /** Tokens, from a handler that knows better than the response says. */
  usage(tokens: TokenUsage): void;
  /** The model that really served, in place of the one asked for. */
  model(name: string): void;
  /** The workers that served the request. */
  workers(ids: WorkerIds): void;
  /** Declares that the request has failed, whatever the response's status. `type` is an error type of docs/records.md. */
  fail(type: string, detail?: string): void;
  /**
   * `echo(false)`: `request-id` and `x-request-id` of the response are the handler's own from now on, ours are taken off. By default
   * ours are put back when a proxy has copied its upstream's over them.
   */
  echo(ours: boolean): void;
}
