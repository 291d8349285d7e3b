import { AsyncLocalStorage } from 'node:async_hooks';
import { context, createContextKey, ROOT_CONTEXT, trace, type Context, type Span, type TraceState } from '@opentelemetry/api';
import { guarded } from '../internal/index.js';
import { TextTraceState } from './trace-state.js';
import { isSpanId, isTraceId, RANDOM_TRACE_ID } from './traceparent.js';
import { parseTracestate } from './tracestate.js';

/** Everything about a request that crosses a hop: the trace it belongs to and the ids it goes by. */
export interface DistributedTraceContext {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits: the current span. */
  readonly spanId: string;
  /** W3C trace flags: 1 sampled, 2 random trace id. */
  readonly traceFlags: number;
  /** The span that the current one is a child of. */
  readonly parentId?: string | undefined;
  /** W3C `tracestate` in canonical form. */
  readonly tracestate?: string | undefined;
  /** The caller's own `x-request-id`. */
  readonly xRequestId?: string | undefined;
  /** The canonical request id: a UUID. */
  readonly requestId?: string | undefined;
}

/** The trace context of a span of ours, with what its log lines carry. */
export interface TraceScope extends DistributedTraceContext {
  readonly spanName?: string | undefined;
  /** Fields of the span that every log line inside it repeats, e.g. `method` and `uri`. */
  readonly logFields?: Readonly<Record<string, unknown>> | undefined;
}

// createContextKey is Symbol.for: two copies of this package find each other's context.
const KEY = createContextKey('dynamo-tracing.trace-context.v1');

const STATE = Symbol.for('dynamo-tracing.state.v1');
interface SharedState {
  readonly storage: AsyncLocalStorage<Context>;
}
const shared: SharedState = ((globalThis as Record<symbol, unknown>)[STATE] ??= { storage: new AsyncLocalStorage<Context>() }) as SharedState;

/** A copy of `ctx` that carries `scope`. */
export function setTraceScope(ctx: Context, scope: TraceScope): Context {
  return ctx.setValue(KEY, scope);
}

/** The scope that `ctx` carries: that of the nearest span of ours, whatever spans others have opened inside it. */
export function getTraceScope(ctx: Context): TraceScope | undefined {
  return ctx.getValue(KEY) as TraceScope | undefined;
}

/**
 * The current context: OpenTelemetry's when a context manager is registered; without one our own async-local storage keeps
 * it, so that ids follow a request in a process that has no OpenTelemetry SDK.
 */
export function activeContext(): Context {
  const active = context.active();
  return active === ROOT_CONTEXT ? (shared.storage.getStore() ?? active) : active;
}

/** Runs `fn` with `ctx` as the current context. */
export function runInContext<T>(ctx: Context, fn: () => T): T {
  return context.with(ctx, () => (activeContext() === ctx ? fn() : shared.storage.run(ctx, fn)));
}

/** A function that runs `fn` in `ctx` whenever and wherever it is called. */
export function bindToContext<A extends unknown[], R>(ctx: Context, fn: (this: unknown, ...args: A) => R): (...args: A) => R {
  return function bound(this: unknown, ...args: A): R {
    return runInContext(ctx, () => fn.apply(this, args));
  };
}

/**
 * The trace context of `ctx` (default: the current context). Names the innermost live span, ours or anyone's, with its
 * sampling decision; undefined when there is neither a span nor a request.
 */
export function currentTraceContext(ctx: Context = activeContext()): DistributedTraceContext | undefined {
  const scope = getTraceScope(ctx);
  const span = trace.getSpan(ctx);
  return span === undefined ? scope : (guarded('span.spanContext()', () => contextOfSpan(span, scope), undefined) ?? scope);
}

/** The trace context that names `span`, with request ids and tracestate from `scope` where they belong to the same trace. */
export function contextOfSpan(span: Span, scope?: TraceScope): DistributedTraceContext | undefined {
  const live = span.spanContext();
  // Not the API's isSpanContextValid: it lets upper case through, which no traceparent may have.
  if (!isTraceId(live.traceId) || !isSpanId(live.spanId)) return undefined;
  const sameTrace = scope?.traceId === live.traceId;
  // SDKs keep the sampled flag only: the caller's random flag is a fact about the trace id and stays with it.
  const random = sameTrace ? scope.traceFlags & RANDOM_TRACE_ID : 0;
  return {
    traceId: live.traceId,
    spanId: live.spanId,
    traceFlags: live.traceFlags | random,
    parentId: scope?.spanId === live.spanId ? scope.parentId : undefined,
    tracestate: live.traceState !== undefined ? textOf(live.traceState) : sameTrace ? scope.tracestate : undefined,
    xRequestId: scope?.xRequestId,
    requestId: scope?.requestId,
  };
}

/** Our own has been checked; another implementation may hold anything, a line feed included. */
function textOf(state: TraceState): string | undefined {
  return state instanceof TextTraceState ? state.serialize() : parseTracestate(state.serialize());
}
