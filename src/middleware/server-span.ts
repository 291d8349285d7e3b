import { createContextKey, isSpanContextValid, SpanKind, trace, type Context, type Span } from '@opentelemetry/api';
import { guarded } from '../internal/index.js';
import { datadogSpan, vendorDetails, vendorRoot } from './vendor-spans.js';

// The key under which OpenTelemetry's HTTP instrumentation keeps its span and the route; both SDK lines name it so.
const RPC_METADATA = createContextKey('OpenTelemetry SDK Context Key RPC_METADATA');

interface RpcMetadata {
  readonly type?: unknown;
  readonly span?: Span;
  route?: string;
}

/** What SDKs have on their spans beside the API's methods. */
interface SpanDetails {
  readonly kind?: SpanKind;
  readonly ended?: boolean;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/**
 * The live HTTP server span that `ctx` is inside of, made by somebody else: that of @opentelemetry/instrumentation-http, by the
 * metadata it leaves in the context; else a vendor's at the root of the active span, when it is a server's; else `hint`, the framework
 * plugin's own (@fastify/otel); else the active span, when it is a server's. Undefined when there is none. Never throws.
 */
export function findServerSpan(ctx: Context, hint?: Span): Span | undefined {
  const active = trace.getSpan(ctx);
  const known = rpcMetadata(ctx)?.span;
  return [known, vendorRoot(active), hint, active].find((span): span is Span => {
    return span !== undefined && guarded('server span', () => isLive(span) && (span === known || span === hint || isServers(span)), false);
  });
}

function isLive(span: Span): boolean {
  const own = span.spanContext();
  return isSpanContextValid(own) && own.isRemote !== true && (span as SpanDetails).ended !== true && !vendorDetails(span).ended;
}

/** A server's span by its kind; where a vendor's span has none or another, by the method that HTTP spans carry. */
function isServers(span: Span): boolean {
  const vendor = vendorDetails(span);
  const { kind = vendor.kind, attributes = vendor.attributes } = span as SpanDetails;
  if (kind === SpanKind.SERVER || kind === 'server') return true;
  return kind !== SpanKind.CLIENT && kind !== 'client' && (attributes?.['http.request.method'] ?? attributes?.['http.method']) !== undefined;
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
 * Keeps a span open until the function returned is called, where it is known to end before the response has, and what the body tells
 * would be lost: `hint` (@fastify/otel) and Datadog's. An end asked for by then comes then. With `forTurn` every span is kept, and for no
 * longer than the turn of the event loop that its end was asked for in: a Fetch host tells a handler that the client has left after it has told the
 * instrumentation, and may never tell it. Undefined for others. Never throws.
 */
export function holdOpen(span: Span, hint?: Span, forTurn = false): (() => void) | undefined {
  return guarded('server span', () => {
    const datadog = datadogSpan(span);
    if (datadog !== undefined) return held(datadog, 'finish', forTurn);
    return span === hint || forTurn ? held(span, 'end', forTurn) : undefined;
  }, undefined);
}

function held<K extends string>(span: Record<K, (...args: never[]) => unknown>, method: K, forTurn: boolean): () => void {
  const end = span[method] as (...args: unknown[]) => unknown;
  let asked: unknown[] | undefined;
  let isReleased = false;
  span[method] = (...args: unknown[]): void => {
    if (isReleased) end.apply(span, args);
    else if (asked === undefined) {
      asked = args;
      if (forTurn) setImmediate(release);
    }
  };
  const release = (): void => {
    if (isReleased) return;
    isReleased = true;
    if (asked !== undefined) end.apply(span, asked);
  };
  return release;
}
