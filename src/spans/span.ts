import { isSpanContextValid, SpanStatusCode, trace, type Attributes, type Context, type Link, type Span, type SpanContext, type SpanKind } from '@opentelemetry/api';
import { guarded, TargetFilter, VERSION } from '../internal/index.js';
import { getTraceScope, newSpanId, newTraceId, RANDOM_TRACE_ID, remoteSpanContext, SAMPLED, setTraceScope, spanContextOf, traceStateText, type TraceScope } from '../trace-context/index.js';
import { toAttributes, type AttributeSet, type SpanFields } from './attributes.js';
import type { SpanDefinition } from './catalogue.js';

/** What decides whether spans are made and how their attributes are named. */
export interface SpanSettings {
  readonly filter: TargetFilter;
  readonly attributes: AttributeSet;
}

export interface SpanStart {
  readonly settings: SpanSettings;
  /** Default: the name of the definition. */
  readonly name?: string | undefined;
  /** Holds the parent span (live or remote) and, for a child inside a request, the request's scope. */
  readonly parent: Context;
  readonly fields: SpanFields;
  /** Ids of the request; default: those of the parent's scope. */
  readonly identity?: { readonly requestId?: string | undefined; readonly xRequestId?: string | undefined } | undefined;
  /** Fields that log lines inside the span repeat. */
  readonly logFields?: TraceScope['logFields'];
  readonly kind?: SpanKind | undefined;
  readonly links?: Link[] | undefined;
  /** What goes out from inside the span has no random flag (W3C level 2). Default: that of the parent's scope. */
  readonly dropRandomFlag?: boolean | undefined;
}

let environmentSettings: SpanSettings | undefined;

/** Settings from DYN_LOG, read at the first use. */
export function defaultSpanSettings(): SpanSettings {
  return (environmentSettings ??= { filter: TargetFilter.fromEnv(process.env), attributes: 'both' });
}

/**
 * Starts a span of ours. There is always a context to go on with: without an OpenTelemetry SDK the ids are drawn here; a span
 * that the filter leaves out passes its parent on. Never throws.
 */
export function startSpan(definition: SpanDefinition, given: SpanStart): TracedSpan {
  const { settings, name = definition.name } = given;
  const parent = given.identity === undefined ? insideRequest(given.parent) : given.parent;
  const start = { ...given, parent, name };
  const parentContext = spanContextOf(parent);
  if (!settings.filter.enabled(definition.target, definition.level)) return filteredOut(start, parentContext);
  const recorded = guarded('tracer.startSpan', () => ownSpan(definition, start, parentContext), undefined);
  const span = recorded ?? trace.wrapSpanContext(localSpanContext(parentContext));
  const scope = scopeOf(span.spanContext(), start, parentContext, name);
  return new TracedSpan(setTraceScope(trace.setSpan(parent, span), scope), scope, recorded, settings.attributes);
}

/**
 * Takes a live span of another instrumentation for ours: the fields go on it, its context is the context inside, and whoever
 * started it ends it. The filter has no say, because no span is made. Never throws.
 */
export function adoptSpan(span: Span, definition: SpanDefinition, start: SpanStart): TracedSpan {
  const parent = guarded('span.parentSpanContext', () => (span as { readonly parentSpanContext?: SpanContext }).parentSpanContext, undefined);
  const scope = scopeOf(span.spanContext(), start, parent, definition.name);
  const adopted = new TracedSpan(setTraceScope(trace.setSpan(start.parent, span), scope), scope, span, start.settings.attributes, false);
  adopted.set(start.fields);
  return adopted;
}

/** A started span: its context for everything inside it, its fields, its end. */
export class TracedSpan {
  #ended = false;

  constructor(
    /** The context inside the span. */
    readonly context: Context,
    /** Ids of the span and its request, as they were when it started. */
    readonly scope: TraceScope,
    private readonly span: Span | undefined,
    private readonly attributeSet: AttributeSet,
    /** Whether the span is ended here; an adopted one is not. */
    private readonly isOurs = true,
  ) {}

  /** Whether a span of the SDK takes what is set here. */
  get recording(): boolean {
    return this.span !== undefined && !this.#ended && guarded('span.isRecording', () => this.span?.isRecording() ?? false, false);
  }

  /** Whether the trace is kept: the SDK records the span, and its sampler has taken it. */
  get sampled(): boolean {
    return (this.scope.traceFlags & SAMPLED) !== 0 && this.recording;
  }

  set(fields: SpanFields): void {
    if (!this.recording) return;
    guarded('span.setAttributes', () => this.span?.setAttributes(toAttributes(this.attributeSet, fields)), undefined);
  }

  /** Attributes under exactly these names. */
  setRaw(attributes: Attributes): void {
    if (this.recording) guarded('span.setAttributes', () => this.span?.setAttributes(attributes), undefined);
  }

  event(name: string, fields: SpanFields = {}): void {
    if (this.recording) guarded('span.addEvent', () => this.span?.addEvent(name, toAttributes('dynamo', fields)), undefined);
  }

  /** Marks the span as failed; `errorType` becomes `error.type`. */
  fail(errorType: string, description: string = errorType): void {
    if (!this.recording) return;
    guarded('span.setStatus', () => this.span?.setAttribute('error.type', errorType).setStatus({ code: SpanStatusCode.ERROR, message: description }), undefined);
  }

  /** Ends the span, at `at` milliseconds of `performance.now()` (default: now); later calls do nothing. */
  end(at?: number): void {
    if (this.#ended) return;
    if (this.isOurs) guarded('span.end', () => this.span?.end(at), undefined);
    this.#ended = true;
  }
}

/** A request whose own span was left out is known by its scope alone: what is started inside continues that trace. */
function insideRequest(ctx: Context): Context {
  const scope = getTraceScope(ctx);
  return scope === undefined || spanContextOf(ctx) !== undefined ? ctx : trace.setSpanContext(ctx, remoteSpanContext({ ...scope, tracestate: scope.tracestate }));
}

/** The span of the registered SDK. Without one the API hands back the parent's own context, or an invalid one: then there is none. */
function ownSpan(definition: SpanDefinition, { name = definition.name, settings, parent, fields, kind = definition.kind, links }: SpanStart, parentContext: SpanContext | undefined): Span | undefined {
  const options = { kind, attributes: toAttributes(settings.attributes, fields), ...(links === undefined ? {} : { links }) };
  const made = trace.getTracer('dynamo-tracing', VERSION).startSpan(name, options, parent);
  const own = made.spanContext();
  return own.spanId !== parentContext?.spanId && isSpanContextValid(own) ? made : undefined;
}

function localSpanContext(parent: SpanContext | undefined): SpanContext {
  // As SDKs do, without the random flag: Dynamo 1.5 and 1.6 take a traceparent with flags other than 00 and 01 for none.
  if (parent === undefined) return { traceId: newTraceId(), spanId: newSpanId(), traceFlags: SAMPLED };
  const { traceId, traceFlags, traceState } = parent;
  return { traceId, spanId: newSpanId(), traceFlags, ...(traceState === undefined ? {} : { traceState }) };
}

/**
 * No span: what is inside goes on with the parent, or with ids of its own that no span carries. Log lines keep naming the
 * nearest span of ours.
 */
function filteredOut(start: SpanStart, parentContext: SpanContext | undefined): TracedSpan {
  const outer = getTraceScope(start.parent);
  const nearest = parentContext === undefined || parentContext.traceId === outer?.traceId ? outer : undefined;
  const scope: TraceScope = {
    ...(nearest ?? passedOn(parentContext ?? localSpanContext(undefined))),
    requestId: start.identity?.requestId ?? outer?.requestId,
    xRequestId: start.identity === undefined ? outer?.xRequestId : start.identity.xRequestId,
    logFields: start.logFields ?? outer?.logFields,
    dropRandomFlag: start.dropRandomFlag ?? outer?.dropRandomFlag,
  };
  return new TracedSpan(setTraceScope(start.parent, scope), scope, undefined, start.settings.attributes);
}

function passedOn({ traceId, spanId, traceFlags, traceState }: SpanContext): TraceScope {
  return { traceId, spanId, traceFlags, tracestate: traceStateText(traceState) };
}

function scopeOf(own: SpanContext, start: SpanStart, parent: SpanContext | undefined, spanName: string): TraceScope {
  const outer = start.identity === undefined ? getTraceScope(start.parent) : undefined;
  const identity = start.identity ?? outer;
  const drop = start.dropRandomFlag ?? getTraceScope(start.parent)?.dropRandomFlag;
  const random = parent?.traceId === own.traceId ? (parent.traceFlags | (outer?.traceFlags ?? 0)) & RANDOM_TRACE_ID : 0;
  return {
    traceId: own.traceId,
    spanId: own.spanId,
    traceFlags: drop === true ? own.traceFlags & ~RANDOM_TRACE_ID : own.traceFlags | random,
    parentId: parent?.spanId,
    tracestate: traceStateText(own.traceState) ?? outer?.tracestate,
    xRequestId: identity?.xRequestId,
    requestId: identity?.requestId,
    spanName,
    logFields: start.logFields ?? outer?.logFields,
    dropRandomFlag: drop,
  };
}
