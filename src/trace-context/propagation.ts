import { isSpanContextValid, trace, type Context, type SpanContext, type TextMapGetter, type TextMapPropagator, type TextMapSetter } from '@opentelemetry/api';
import { booleanOption, guarded, readOptions } from '../internal/index.js';
import { carrierOf, type Carrier, type CarrierReader, type CarrierTarget } from './carrier.js';
import { activeContext, currentTraceContext, type DistributedTraceContext } from './context.js';
import { isTracingSuppressed } from './suppress.js';
import { TextTraceState } from './trace-state.js';
import { formatTraceparent, parseTraceparent, type Traceparent } from './traceparent.js';
import { parseTracestate } from './tracestate.js';

/** Header names of a request's trace context, in the order they are written. */
export const TRACE_HEADERS = ['traceparent', 'tracestate', 'x-request-id', 'request-id'] as const;
const W3C_HEADERS: readonly string[] = TRACE_HEADERS.slice(0, 2);
export type TraceHeaderName = (typeof TRACE_HEADERS)[number];
/** Outbound headers; those without a value are absent. */
export type TraceHeaders = Partial<Record<TraceHeaderName, string>>;

/** The W3C part of what a carrier brought. */
export interface ExtractedTrace extends Traceparent {
  readonly tracestate: string | undefined;
}

/** Reads `traceparent` and `tracestate`. Undefined when there is no valid traceparent (one header, strict W3C). Never throws. */
export function extractTrace(carrier: CarrierReader): ExtractedTrace | undefined {
  const text = onlyValue(carrier.get('traceparent'));
  const parent = text === undefined ? undefined : parseTraceparent(text);
  if (parent === undefined) return undefined;
  const state: unknown = carrier.get('tracestate');
  return { traceId: parent.traceId, spanId: parent.spanId, traceFlags: parent.traceFlags, tracestate: isText(state) ? parseTracestate(state) : undefined };
}

/** A header's value when it came once. Node and Fetch join two lines by a comma, which a later version might else swallow. */
function onlyValue(given: unknown): string | undefined {
  const value: unknown = Array.isArray(given) && given.length === 1 ? given[0] : given;
  return typeof value === 'string' && !value.includes(',') ? value : undefined;
}

/** Carriers may be decoded JSON: the types promise nothing. */
function isText(value: unknown): value is string | readonly string[] {
  return typeof value === 'string' || (Array.isArray(value) && value.every((item) => typeof item === 'string'));
}

/** The extracted trace as OpenTelemetry's remote span context. */
export function remoteSpanContext(extracted: ExtractedTrace): SpanContext {
  const { traceId, spanId, traceFlags, tracestate } = extracted;
  return { traceId, spanId, traceFlags, isRemote: true, ...(tracestate === undefined ? {} : { traceState: new TextTraceState(tracestate) }) };
}

/** The headers for a trace context: a fresh record that any carrier takes. */
export function headersOf(current: DistributedTraceContext | undefined): TraceHeaders {
  const headers: TraceHeaders = {};
  if (current === undefined) return headers;
  headers.traceparent = formatTraceparent(current);
  if (current.tracestate !== undefined && current.tracestate !== '') headers.tracestate = current.tracestate;
  if (current.xRequestId !== undefined) headers['x-request-id'] = current.xRequestId;
  if (current.requestId !== undefined) headers['request-id'] = current.requestId;
  return headers;
}

/** The headers that continue `ctx` (default: the current context) on another hop. Empty outside any request or span. */
export function traceHeaders(ctx: Context = activeContext()): TraceHeaders {
  return headersOf(currentTraceContext(ctx));
}

/**
 * Writes {@link traceHeaders} into headers of any kind and returns them. What they held of another trace or request under those
 * names is replaced; a `tracestate` with nothing in its place is removed, an `x-request-id` becomes the canonical id. Headers that
 * refuse to be written, as a frozen object does, are reported once and returned as they are.
 */
export function injectTrace<T extends CarrierTarget>(headers: T, ctx: Context = activeContext()): T {
  guarded('injectTrace', () => writeTraceHeaders(carrierOf(headers), traceHeaders(ctx)), undefined);
  return headers;
}

/** Writes the headers of one call by the rules of {@link injectTrace}. */
export function writeTraceHeaders(carrier: Carrier, { traceparent, tracestate, 'x-request-id': xRequestId, 'request-id': requestId }: TraceHeaders): void {
  // In this order a carrier that refuses one of them is not left with a traceparent alone.
  if (tracestate !== undefined) carrier.set('tracestate', tracestate);
  else if (traceparent !== undefined) carrier.delete('tracestate');
  if (traceparent !== undefined) carrier.set('traceparent', traceparent);
  const callers = xRequestId ?? (requestId !== undefined && carrier.get('x-request-id') !== undefined ? requestId : undefined);
  if (callers !== undefined) carrier.set('x-request-id', callers);
  if (requestId !== undefined) carrier.set('request-id', requestId);
}

const PROPAGATOR_OPTIONS = { requestIds: booleanOption(false) };

/** Options of {@link DynamoPropagator}. */
export interface DynamoPropagatorOptions {
  /** Also write `x-request-id` and `request-id`, so that they travel with calls that an instrumentation traces. Default: false. */
  readonly requestIds?: boolean;
}

/**
 * The same strict W3C rules as an OpenTelemetry propagator, for `propagation.setGlobalPropagator`. Carries `traceparent` and
 * `tracestate`, and the request ids when asked to. Writes nothing where tracing is suppressed.
 * @throws ERR_OPTION_INVALID
 */
export class DynamoPropagator implements TextMapPropagator {
  readonly #requestIds: boolean;

  constructor(options?: DynamoPropagatorOptions) {
    this.#requestIds = readOptions('DynamoPropagator', PROPAGATOR_OPTIONS, options).requestIds;
  }

  inject(ctx: Context, carrier: unknown, setter: TextMapSetter): void {
    if (isTracingSuppressed(ctx)) return;
    const headers = traceHeaders(ctx);
    const span = trace.getSpanContext(ctx);
    const hasSpan = span !== undefined && isSpanContextValid(span);
    for (const name of TRACE_HEADERS) {
      const value = headers[name];
      if (value !== undefined && (W3C_HEADERS.includes(name) ? hasSpan : this.#requestIds)) setter.set(carrier, name, value);
    }
  }

  extract(ctx: Context, carrier: unknown, getter: TextMapGetter): Context {
    const extracted = extractTrace({ get: (name) => getter.get(carrier, name), keys: () => getter.keys(carrier) });
    return extracted === undefined ? ctx : trace.setSpanContext(ctx, remoteSpanContext(extracted));
  }

  fields(): string[] {
    return [...(this.#requestIds ? TRACE_HEADERS : W3C_HEADERS)];
  }
}

/**
 * A propagator for an edge that is open to the internet: extracts nothing, so that no instrumentation continues a stranger's
 * trace, and injects what `inner` does (default: a {@link DynamoPropagator}). What `inner` throws is reported once.
 */
export function untrustedPropagator(inner: TextMapPropagator = new DynamoPropagator()): TextMapPropagator {
  return {
    inject: (ctx, carrier, setter) => guarded('untrustedPropagator', () => inner.inject(ctx, carrier, setter), undefined),
    extract: (ctx) => ctx,
    fields: () => guarded('untrustedPropagator', () => inner.fields(), []),
  };
}
