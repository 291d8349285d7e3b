import type { IncomingMessage } from 'node:http';
import { ROOT_CONTEXT, trace, type Context, type Link, type Span, type SpanContext } from '@opentelemetry/api';
import { decided, RateLimit, reportOnce } from '../internal/index.js';
import { escapeControls, RECORD_TARGETS, type Log } from '../logging/index.js';
import { activeContext, extractTrace, newRequestId, remoteSpanContext, resolveRequestIds, spanContextOf, type CarrierReader, type RequestIds } from '../trace-context/index.js';
import type { Tracing } from './options.js';
import { findServerSpan } from './server-span.js';

/** Who a request is and what it continues. */
export interface Identity {
  readonly ids: RequestIds;
  /** The context that the request's span is started in. */
  readonly parent: Context;
  readonly links: Link[] | undefined;
  /** Somebody else's live span around the request: a span of ours is its INTERNAL child. */
  readonly isInside: boolean;
  /** Somebody else's server span for this request: it is the request's span, unless `serverSpan: 'own'` says otherwise. */
  readonly serverSpan: Span | undefined;
}

const IGNORED: Omit<RequestIds, 'requestId'> = { xRequestId: undefined, invalid: [], droppedXRequestId: false, deprecatedHeader: false };

/**
 * Reads ids and trace context of an inbound request by the trust that `tracing` grants it. `frameworkSpan` is the span of the
 * framework's own instrumentation, where the framework tells of one.
 */
export function identify(tracing: Tracing, req: IdentifiedRequest, frameworkSpan: Span | undefined, active = activeContext(), original: unknown = req): Identity {
  const trusted = trusts(tracing, original);
  const headers = new InboundHeaders(req);
  const ids = req[IDS] ?? resolveIds(headers, trusted);
  const serverSpan = findServerSpan(active, frameworkSpan);
  const live = serverSpan?.spanContext() ?? spanContextOf(active);
  if (live !== undefined && live.isRemote !== true) {
    if (!trusted && serverSpan !== undefined) warnAboutTrust(serverSpan);
    return { ids, parent: active, links: undefined, isInside: true, serverSpan };
  }
  const extracted = extractTrace(headers);
  const remote = extracted === undefined ? undefined : remoteSpanContext(extracted);
  if (remote === undefined) return { ids, parent: active, links: undefined, isInside: false, serverSpan };
  if (trusted) return { ids, parent: trace.setSpanContext(active, remote), links: undefined, isInside: false, serverSpan };
  return { ids, parent: active === ROOT_CONTEXT ? active : trace.deleteSpan(active), links: [{ context: remote }], isInside: false, serverSpan };
}

/** The instrumentation has continued the caller's trace already; nothing here can undo that. */
function warnAboutTrust(serverSpan: Span): void {
  const { parentSpanContext } = serverSpan as { readonly parentSpanContext?: SpanContext };
  if (parentSpanContext?.isRemote !== true) return;
  reportOnce('untrustedPropagator', 'an HTTP instrumentation has continued the trace of a request that trustIncoming does not trust: register untrustedPropagator() as the global propagator');
}

const IDS = Symbol.for('dynamo-tracing.request-ids.v1');

type IdentifiedRequest = Pick<IncomingMessage, 'headers' | 'rawHeaders'> & { [IDS]?: RequestIds };

/** The ids of a request for a framework that asks before the request begins here; kept for that. */
export function requestIdsOf(tracing: Tracing, req: IdentifiedRequest): RequestIds {
  const known = req[IDS];
  return known ?? (req[IDS] = resolveIds(new InboundHeaders(req), trusts(tracing, req)));
}

function resolveIds(headers: InboundHeaders, trusted: boolean): RequestIds {
  return trusted ? resolveRequestIds((name) => headers.get(name)) : { ...IGNORED, requestId: newRequestId() };
}

function trusts(tracing: Tracing, req: unknown): boolean {
  return decided<unknown>('trustIncoming', () => tracing.trustIncoming(req as never), false) === true;
}

/** Node joins repeated headers with a comma, over HTTP/2 too; where one is possible the values as they came decide. */
class InboundHeaders implements CarrierReader {
  constructor(private readonly req: Pick<IncomingMessage, 'headers' | 'rawHeaders'>) {}

  get(name: string): string | readonly string[] | undefined {
    const value = this.req.headers[name];
    if (typeof value !== 'string' || name === 'tracestate' || !value.includes(',')) return value;
    const { rawHeaders } = this.req;
    const values = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name);
    return values.length > 1 ? values : value;
  }

  keys(): string[] {
    return Object.keys(this.req.headers);
  }
}

const deprecation = new RateLimit(1000);
const MAX_SHOWN = 64;
const DEPRECATED = 'x-dynamo-request-id';
const ADVICE = `${DEPRECATED} is deprecated, send request-id instead`;

/** Warns about the deprecated header (once a second for the process) and about what was wrong with the ids. */
export function warnAboutIds(log: Log, { invalid, deprecatedHeader, droppedXRequestId }: RequestIds, ctx: Context): void {
  const warn = (message: string, fields: Readonly<Record<string, unknown>> = {}): void => log.emit('warn', RECORD_TARGETS.request, message, fields, { context: ctx });
  const deprecatedIsInvalid = invalid.some(({ header }) => header === DEPRECATED);
  if (deprecatedHeader && !deprecatedIsInvalid) {
    const suppressed = deprecation.take();
    if (suppressed !== undefined) warn(`header ${ADVICE}`, suppressed > 0 ? { suppressed } : {});
  }
  if (invalid.length > 0) {
    const names = invalid.map(({ header }) => header).join(' and ');
    const value = invalid.map((rejected) => escapeControls(rejected.value.slice(0, MAX_SHOWN))).join(' and ');
    warn(`${names} must be a valid UUID${deprecatedIsInvalid ? `; ${ADVICE}` : ''}`, { header: names, value });
  }
  if (droppedXRequestId) warn('x-request-id dropped: it must be one value of at most 256 visible ASCII characters');
}
