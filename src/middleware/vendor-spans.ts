import type { Span, SpanContext } from '@opentelemetry/api';
import { guarded } from '../internal/index.js';

/**
 * The only place that reads private fields of vendors' spans: of Sentry 11 `_attributes`, `_endTime` and (10 too) `_sentryRootSpan`; of
 * Datadog `_ddSpan` with its `finish` and `context()`, and from that `_tags`, `_trace.started`, `_otelActiveSpan` and
 * `_otelSpanContext`. All of them may be missing or of another form: then no span of the vendor is found, and the request gets a span of ours.
 */
interface VendorSpan extends Span {
  readonly _attributes?: Readonly<Record<string, unknown>>;
  readonly _endTime?: number;
  readonly _sentryRootSpan?: Span;
  readonly _ddSpan?: DatadogSpan;
}

interface DatadogSpan {
  finish(...args: unknown[]): unknown;
  context(): DatadogContext;
}

interface DatadogContext {
  readonly _tags?: Readonly<Record<string, unknown>>;
  readonly _trace?: { readonly started?: readonly DatadogSpan[] };
  /** The form of the span for OpenTelemetry's API, once it has been the active one. */
  readonly _otelActiveSpan?: Span;
  readonly _otelSpanContext?: SpanContext;
}

type ProxyClass = new (span: DatadogSpan, context: SpanContext) => Span;
type ContextClass = new (context: DatadogContext) => SpanContext;

/** What OpenTelemetry's SDK has as public fields of a span, where the vendor keeps it. */
export function vendorDetails(span: Span): { readonly kind: unknown; readonly ended: boolean; readonly attributes: Readonly<Record<string, unknown>> | undefined } {
  const { _attributes, _endTime, _ddSpan } = span as VendorSpan;
  return { kind: _attributes?.['sentry.kind'] ?? datadogKind(_ddSpan), ended: _endTime !== undefined, attributes: _attributes };
}

/** The outermost span above `active` in this process: Sentry's root, Datadog's first server span. Undefined when there is none. Never throws. */
export function vendorRoot(active: Span | undefined): Span | undefined {
  if (active === undefined) return undefined;
  return guarded('vendor span', () => {
    const { _sentryRootSpan, _ddSpan } = active as VendorSpan;
    return _sentryRootSpan ?? (_ddSpan === undefined ? undefined : datadogServer(active, _ddSpan));
  }, undefined);
}

/** Datadog's own span below one for OpenTelemetry's API. It is finished when `finish` or `close` is emitted, before any listener runs. */
export function datadogSpan(span: Span): DatadogSpan | undefined {
  const { _ddSpan } = span as VendorSpan;
  return typeof _ddSpan?.finish === 'function' ? _ddSpan : undefined;
}

function datadogKind(span: DatadogSpan | undefined): unknown {
  return span?.context()._tags?.['span.kind'];
}

/** Express's middleware runs in a span of its own; the server's is known to the trace, and gets the form that the active one has. */
function datadogServer(active: Span, span: DatadogSpan): Span | undefined {
  const context = span.context();
  const server = context._trace?.started?.find((started) => datadogKind(started) === 'server');
  if (server === undefined || server === span) return undefined;
  const known = server.context();
  if (known._otelActiveSpan !== undefined) return known._otelActiveSpan;
  if (context._otelActiveSpan !== active) return undefined; // a span of the application's, of another class
  const otelContext = known._otelSpanContext ?? new (active.spanContext().constructor as ContextClass)(known);
  return new (active.constructor as ProxyClass)(server, otelContext);
}
