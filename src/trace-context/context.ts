import { AsyncLocalStorage } from 'node:async_hooks';
import { context, createContextKey, isSpanContextValid, ROOT_CONTEXT, trace, type Context, type Span, type SpanContext, type TraceState } from '@opentelemetry/api';
import { guarded, reportFault } from '../internal/index.js';
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
  /** The random flag is left out of everything that leaves: Dynamo's frontend takes a traceparent with it for none. */
  readonly dropRandomFlag?: boolean | undefined;
}

// createContextKey is Symbol.for: two copies of this package find each other's context.
const KEY = createContextKey('dynamo-tracing.trace-context.v1');

/** What async-local storage of this package holds: the context, and the request it belongs to. */
interface Stored {
  readonly context: Context;
  /** The request's handle, for `currentTrace()`. Opaque here: it belongs to a higher rank. */
  readonly request: object | undefined;
  /** OpenTelemetry's context manager carries the context as well. Where it says ROOT_CONTEXT, somebody meant it. */
  readonly managed: boolean;
}

// On the global object, so that all copies of this package share one storage.
const STORAGE = Symbol.for('dynamo-tracing.storage.v2');
const shared = globalThis as unknown as { [STORAGE]: AsyncLocalStorage<Stored> | undefined };
const storage = (shared[STORAGE] ??= new AsyncLocalStorage<Stored>());

/** A copy of `ctx` that carries `scope`. */
export function setTraceScope(ctx: Context, scope: TraceScope): Context {
  return ctx.setValue(KEY, scope);
}

/** The scope that `ctx` carries: that of the nearest span of ours, whatever spans others have opened inside it. */
export function getTraceScope(ctx: Context): TraceScope | undefined {
  return ctx.getValue(KEY) as TraceScope | undefined;
}

/**
 * The current context: OpenTelemetry's when a context manager is registered, else the one in our own async-local storage, so
 * that ids follow a request in a process that has no OpenTelemetry SDK. An instrumentation may run a handler in a context of
 * its own, from before the request was known here (@fastify/otel does): the request's scope is put into it again.
 */
export function activeContext(): Context {
  const active = managedContext();
  const stored = storage.getStore();
  if (stored === undefined) return active;
  if (active === ROOT_CONTEXT) return stored.managed ? active : stored.context;
  if (getTraceScope(active) !== undefined) return active;
  const scope = getTraceScope(stored.context);
  return scope !== undefined && spanContextOf(active)?.traceId === scope.traceId ? setTraceScope(active, scope) : active;
}

/** The context of OpenTelemetry's manager, which may be anybody's: what cannot be read counts as none. */
function managedContext(): Context {
  try {
    const active = context.active();
    active.getValue(KEY);
    return active;
  } catch (error) {
    reportFault('context.active', error);
    return ROOT_CONTEXT;
  }
}

/** `context.with`, whose own faults keep `fn` from nothing: it runs once, and what it returns or throws is what comes back. */
function managed<T>(ctx: Context, fn: () => T): T {
  const run: { state: 'waiting' | 'inside' | 'done'; result?: T } = { state: 'waiting' };
  try {
    context.with(ctx, () => {
      run.state = 'inside';
      run.result = fn();
      run.state = 'done';
    });
  } catch (error) {
    if (run.state === 'inside') throw error;
    reportFault('context.with', error);
  }
  return run.state === 'done' ? (run.result as T) : fn();
}

/** Runs `fn` with `ctx` as the current context. */
export function runInContext<T>(ctx: Context, fn: () => T): T {
  return managed(ctx, () => (activeContext() === ctx ? fn() : storage.run({ context: ctx, request: storage.getStore()?.request, managed: false }, fn)));
}

/**
 * Runs `fn` inside `request`, with `ctx` as the current context; code that is inside it already keeps the context it has. Unlike
 * {@link runInContext} it uses our own storage in any case: what others do to OpenTelemetry's context does not lose the request.
 */
export function runInRequest<T>(request: object, ctx: Context, fn: () => T): T {
  if (storage.getStore()?.request === request) return fn();
  return managed(ctx, () => storage.run({ context: ctx, request, managed: managedContext() === ctx }, fn));
}

/** The request that the current code runs inside of, as {@link runInRequest} was given it. */
export function currentRequest(): object | undefined {
  return storage.getStore()?.request;
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
  // SDKs before 3.x keep the sampled flag only: the caller's random flag is a fact about the trace id and stays with it.
  const random = sameTrace ? scope.traceFlags & RANDOM_TRACE_ID : 0;
  const dropped = scope?.dropRandomFlag === true ? RANDOM_TRACE_ID : 0;
  return {
    traceId: live.traceId,
    spanId: live.spanId,
    traceFlags: (live.traceFlags | random) & ~dropped,
    parentId: scope?.spanId === live.spanId ? scope.parentId : undefined,
    tracestate: live.traceState !== undefined ? traceStateText(live.traceState) : sameTrace ? scope.tracestate : undefined,
    xRequestId: scope?.xRequestId,
    requestId: scope?.requestId,
  };
}

/** The span context that `ctx` carries, when it is a valid one; of a span that throws: none. */
export function spanContextOf(ctx: Context): SpanContext | undefined {
  const found = guarded('span.spanContext', () => trace.getSpanContext(ctx), undefined);
  return found !== undefined && isSpanContextValid(found) ? found : undefined;
}

/** A trace state as text. Our own has been checked; another implementation may hold anything, a line feed included, or throw. */
export function traceStateText(state: TraceState | undefined): string | undefined {
  if (state === undefined || state instanceof TextTraceState) return state?.serialize();
  return guarded('traceState.serialize', () => parseTracestate(state.serialize()), undefined);
}
