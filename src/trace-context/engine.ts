import type { Context, Span } from '@opentelemetry/api';
import { carrierOf, type CarrierTarget } from './carrier.js';
import { activeContext, contextOfSpan, getTraceScope } from './context.js';
import { headersOf, traceHeaders, writeTraceHeaders, type TraceHeaders } from './propagation.js';
import { isSpanId, isTraceId } from './traceparent.js';

/**
 * Adds `traceparent` (and `tracestate`) of `span` to a mapping for an engine's `trace_headers` argument (vLLM). Entries
 * of other names stay. Without a carrier it gives a new mapping when there is something to inject. With no span, an invalid
 * one or any failure it gives back `carrier` as it was, null and undefined included. Never throws.
 */
export function injectTraceContext<C extends CarrierTarget>(span: Span | null | undefined, carrier: C): C;
export function injectTraceContext<C extends CarrierTarget>(span: Span | null | undefined, carrier?: C | null): C | Record<string, string> | null | undefined;
export function injectTraceContext(span: Span | null | undefined, carrier?: CarrierTarget | null): CarrierTarget | null | undefined {
  if (span === null || span === undefined) return carrier;
  try {
    const current = contextOfSpan(span, getTraceScope(activeContext()));
    if (current === undefined) return carrier;
    const target = carrier ?? {};
    writeTraceHeaders(carrierOf(target), headersOf({ ...current, requestId: undefined, xRequestId: undefined }));
    return target;
  } catch {
    return carrier;
  }
}

/**
 * The mapping for SGLang's `external_trace_header` and vLLM's `trace_headers`: `traceparent` always, `tracestate` and the
 * request ids when known. Undefined when there is no trace, or its ids are not 32 and 16 lower-case hex digits. Never throws.
 */
export function engineTraceHeaders(ctx: Context = activeContext()): (TraceHeaders & { traceparent: string }) | undefined {
  try {
    const headers = traceHeaders(ctx);
    const { traceparent } = headers;
    if (traceparent === undefined || !isTraceId(traceparent.slice(3, 35)) || !isSpanId(traceparent.slice(36, 52))) return undefined;
    return { ...headers, traceparent };
  } catch {
    return undefined;
  }
}
