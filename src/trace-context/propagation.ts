import { isSpanContextValid, trace, type Context, type SpanContext, type TextMapGetter, type TextMapPropagator, type TextMapSetter } from '@opentelemetry/api';
import type { Carrier, CarrierReader } from './carrier.js';
import { activeContext, currentTraceContext, type DistributedTraceContext } from './context.js';
import { TextTraceState } from './trace-state.js';
import { formatTraceparent, parseTraceparent, type Traceparent } from './traceparent.js';
import { parseTracestate } from './tracestate.js';

/** Header names of a request's trace context, in the order they are written. */
export const TRACE_HEADERS = ['traceparent', 'tracestate', 'x-request-id', 'request-id'] as const;
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
 * Writes {@link traceHeaders} into a carrier, replacing what it held under those names. A tracestate that it held for another
 * trace is blanked, which the W3C allows: an accessor cannot delete.
 */
export function injectTrace(carrier: Carrier, ctx: Context = activeContext()): void {
  const headers = traceHeaders(ctx);
  if (headers.traceparent !== undefined && carrier.get('tracestate') !== undefined) headers.tracestate ??= '';
  for (const [name, value] of Object.entries(headers)) carrier.set(name, value);
}

/**
 * The same strict W3C rules as an OpenTelemetry propagator, for `propagation.setGlobalPropagator`. Carries `traceparent` and
 * `tracestate`; the request ids go only where this package sends them itself.
 */
export class DynamoPropagator implements TextMapPropagator {
  inject(ctx: Context, carrier: unknown, setter: TextMapSetter): void {
    const span = trace.getSpanContext(ctx);
    if (span === undefined || !isSpanContextValid(span)) return;
    const { traceparent, tracestate } = traceHeaders(ctx);
    if (traceparent !== undefined) setter.set(carrier, 'traceparent', traceparent);
    if (tracestate !== undefined) setter.set(carrier, 'tracestate', tracestate);
  }

  extract(ctx: Context, carrier: unknown, getter: TextMapGetter): Context {
    const extracted = extractTrace({ get: (name) => getter.get(carrier, name), keys: () => getter.keys(carrier) });
    return extracted === undefined ? ctx : trace.setSpanContext(ctx, remoteSpanContext(extracted));
  }

  fields(): string[] {
    return ['traceparent', 'tracestate'];
  }
}
