import { context, createContextKey, ROOT_CONTEXT, trace, type ContextManager, type Span, type Tracer, type TracerProvider } from '@opentelemetry/api';
import { guarded } from '../../internal/index.js';
import { processState } from '../process-state.js';
import { finishedSpan, startedSpan, type FinishedSpan, type ReadableSpanLike, type StartedSpan } from './finished-span.js';
import { makeContextManager, makeProvider, type SpanProcessorLike } from './sdk.js';

/** Hears the spans of this process. */
export interface SpanListener {
  started(span: StartedSpan): void;
  ended(span: FinishedSpan): void;
}

/** The API's proxy around the registered provider, as far as it is used. */
interface ProxyProvider {
  getDelegate?(): TracerProvider;
  /** Undefined when no provider is registered. */
  getDelegateTracer?(name: string): Tracer | undefined;
  setDelegate?(provider: TracerProvider): void;
}

/**
 * One for each process, whatever copies of the package are loaded. Our own provider is kept for good: tracers that an
 * application has fetched once keep pointing to it, and a later harness must hear them.
 */
interface TapState {
  readonly listeners: Set<SpanListener>;
  readonly hooked: WeakSet<object>;
  own: TracerProvider | undefined;
  manager: ContextManager | undefined;
  undo: (() => void)[];
}

const state = processState('span-tap.v2', (): TapState => ({ listeners: new Set(), hooked: new WeakSet(), own: undefined, manager: undefined, undo: [] }));

/**
 * Hears every recorded span of this process until the returned function is called. With no tracer provider registered it
 * registers one, and a context manager; the last listener to leave takes both back. A provider of the application stays:
 * its exporters get what they always got.
 * @throws ERR_DEPENDENCY_MISSING when no provider is registered and no SDK is installed
 */
export function tapSpans(listener: SpanListener): () => void {
  if (state.listeners.size === 0) install();
  state.listeners.add(listener);
  return () => {
    if (state.listeners.delete(listener) && state.listeners.size === 0) for (const undo of state.undo.splice(0).reverse()) undo();
  };
}

const processor: SpanProcessorLike = {
  onStart: (span) => tell((listener) => listener.started(startedSpan(span))),
  onEnd: (span) => tell((listener) => listener.ended(finishedSpan(span))),
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

function tell(say: (listener: SpanListener) => void): void {
  for (const listener of state.listeners) guarded('harness span listener', () => say(listener), undefined);
}

function install(): void {
  const proxy = trace.getTracerProvider() as ProxyProvider;
  const registered = proxy.getDelegateTracer?.('dynamo-tracing-harness') === undefined ? undefined : proxy.getDelegate?.();
  if (registered === undefined) registerOwn();
  else if (!hookProcessors(registered)) wrapDelegate(proxy, registered);
  if (!hasContextManager()) registerContextManager();
}

function registerOwn(): void {
  state.own ??= makeProvider(processor);
  trace.setGlobalTracerProvider(state.own);
  state.undo.push(() => trace.disable());
}

function registerContextManager(): void {
  state.manager ??= makeContextManager();
  context.setGlobalContextManager(state.manager.enable());
  state.undo.push(() => context.disable());
}

const PROBE = createContextKey('dynamo-tracing.harness.probe');

function hasContextManager(): boolean {
  return context.with(ROOT_CONTEXT.setValue(PROBE, true), () => context.active().getValue(PROBE) === true);
}

/**
 * Adds our processor to an SDK's provider, which reaches tracers that were fetched long ago as well. It stays there: with
 * nobody listening it does nothing. False when the provider does not keep its processors where the SDK of today does.
 */
function hookProcessors(provider: TracerProvider): boolean {
  if (provider === state.own || state.hooked.has(provider)) return true;
  const list = (provider as { _activeSpanProcessor?: { _spanProcessors?: unknown } })._activeSpanProcessor?._spanProcessors;
  if (!Array.isArray(list)) return false;
  list.push(processor);
  state.hooked.add(provider);
  return true;
}

/** Puts a provider that records in front of the registered one. Tracers fetched while it was there pass through it for good. */
function wrapDelegate(proxy: ProxyProvider, registered: TracerProvider): void {
  proxy.setDelegate?.({ getTracer: (...args) => recordingTracer(registered.getTracer(...args)) });
  state.undo.push(() => proxy.setDelegate?.(registered));
}

function recordingTracer(tracer: Tracer): Tracer {
  const startSpan: Tracer['startSpan'] = (...args) => watchSpan(tracer.startSpan(...args));
  return {
    startSpan,
    startActiveSpan: ((name: string, ...rest: unknown[]) => {
      const fn = rest.at(-1) as (span: Span) => unknown;
      const parent = rest.length > 2 ? (rest[1] as ReturnType<typeof context.active>) : context.active();
      const span = startSpan(name, rest.length > 1 ? (rest[0] as Parameters<Tracer['startSpan']>[1]) : {}, parent);
      return context.with(trace.setSpan(parent, span), () => fn(span));
    }),
  };
}

/** Tells of a span's start now and of its end when it comes. */
function watchSpan(span: Span): Span {
  if (state.listeners.size === 0 || !span.isRecording()) return span;
  const readable = span as unknown as ReadableSpanLike;
  processor.onStart(readable);
  const end = span.end.bind(span);
  let ended = false;
  span.end = (...args) => {
    end(...args);
    if (!ended) processor.onEnd(readable);
    ended = true;
  };
  return span;
}
