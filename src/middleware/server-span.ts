import { createContextKey, isSpanContextValid, SpanKind, trace, type Context, type Span } from '@opentelemetry/api';
import { guarded } from '../internal/index.js';

// The key under which OpenTelemetry's HTTP instrumentation keeps its span and the route; both SDK lines name it so.
const RPC_METADATA = createContextKey('OpenTelemetry SDK Context Key RPC_METADATA');

interface RpcMetadata {
  readonly type?: unknown;
  readonly span?: Span;
  route?: string;
}

/** What SDKs and vendors have on their spans beside the API's methods. */
interface SpanDetails {
  readonly kind?: SpanKind;
  readonly ended?: boolean;
  readonly attributes?: Readonly<Record<string, unknown>>;
  /** Sentry: the span at the root of its transaction. */
  readonly _sentryRootSpan?: Span;
}

/**
 * The live HTTP server span that `ctx` is inside of, made by somebody else: that of @opentelemetry/instrumentation-http, by the
 * metadata it leaves in the context; else `hint`, the framework plugin's own (@fastify/otel); else the active span or the root
 * above it (Sentry), when it is a server's. Undefined when there is none. Never throws.
 */
export function findServerSpan(ctx: Context, hint?: Span): Span | undefined {
  return guarded('server span', () => {
    const active = trace.getSpan(ctx);
    const candidates = [rpcMetadata(ctx)?.span, hint, active, (active as SpanDetails | undefined)?._sentryRootSpan];
    return candidates.find((span) => span !== undefined && isLive(span) && (span === candidates[0] || span === hint || isServers(span as SpanDetails)));
  }, undefined);
}

function isLive(span: Span): boolean {
  const own = span.spanContext();
  return isSpanContextValid(own) && own.isRemote !== true && (span as SpanDetails).ended !== true;
}

/** A server's span by its kind; where a vendor's span has none or another, by the method that HTTP spans carry. */
function isServers(span: SpanDetails): boolean {
  if (span.kind === SpanKind.SERVER) return true;
  const attributes = span.attributes ?? {};
  return span.kind !== SpanKind.CLIENT && (attributes['http.request.method'] !== undefined || attributes['http.method'] !== undefined);
}

/** Gives the route to the HTTP instrumentation: it becomes the `http.route` and part of the name of its span. */
export function setHttpRoute(ctx: Context, route: string | undefined): void {
  const metadata = rpcMetadata(ctx);
  if (route !== undefined && metadata !== undefined) metadata.route ??= route;
}

function rpcMetadata(ctx: Context): RpcMetadata | undefined {
  const found = ctx.getValue(RPC_METADATA) as RpcMetadata | undefined;
  return found?.type === 'http' ? found : undefined;
}

/**
 * Keeps a span open until `release` is called: @fastify/otel ends its span before a streamed body has gone out, and what the
 * body tells would be lost. The end is then that of the response.
 */
export function holdOpen(span: Span): () => void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the span as its this
  const end = span.end;
  let asked = false;
  span.end = () => {
    asked = true;
  };
  return () => {
    span.end = end;
    if (asked) span.end();
  };
}
