import type { IncomingMessage } from 'node:http';
import { isSpanContextValid, ROOT_CONTEXT, trace, type Context, type Link } from '@opentelemetry/api';
import { guarded, RateLimit } from '../internal/index.js';
import { escapeControls, RECORD_TARGETS, type Log } from '../logging/index.js';
import { activeContext, extractTrace, newRequestId, remoteSpanContext, resolveRequestIds, type CarrierReader, type RequestIds } from '../trace-context/index.js';
import type { Tracing } from './options.js';

/** Who a request is and what it continues. */
export interface Identity extends RequestIds {
  /** The context that the request's span is started in. */
  readonly parent: Context;
  readonly links: Link[] | undefined;
  /** A server span is active already: ours is its INTERNAL child. */
  readonly insideServerSpan: boolean;
}

const IGNORED: Omit<RequestIds, 'requestId'> = { xRequestId: undefined, invalid: [], droppedXRequestId: false, deprecatedHeader: false };

/** Reads ids and trace context of an inbound request by the trust that `tracing` grants it. */
export function identify(tracing: Tracing, req: IdentifiedRequest): Identity {
  const trusted = trusts(tracing, req);
  const headers = new InboundHeaders(req);
  const ids = req[IDS] ?? resolveIds(headers, trusted);
  const active = activeContext();
  const live = trace.getSpanContext(active);
  if (live !== undefined && isSpanContextValid(live) && live.isRemote !== true) return identity(ids, active, true);
  const extracted = extractTrace(headers);
  if (extracted === undefined) return identity(ids, active, false);
  const remote = remoteSpanContext(extracted);
  if (!trusted) return identity(ids, active === ROOT_CONTEXT ? active : trace.deleteSpan(active), false, [{ context: remote }]);
  return identity(ids, trace.setSpanContext(active, remote), false);
}

function identity(ids: RequestIds, parent: Context, insideServerSpan: boolean, links?: Link[]): Identity {
  const { requestId, xRequestId, invalid, droppedXRequestId, deprecatedHeader } = ids;
  return { requestId, xRequestId, invalid, droppedXRequestId, deprecatedHeader, parent, links, insideServerSpan };
}

const IDS = Symbol.for('dynamo-tracing.request-ids.v1');

type IdentifiedRequest = IncomingMessage & { [IDS]?: RequestIds };

/** The ids of a request for a framework that asks before the request's lifecycle begins; kept for that. */
export function requestIdsOf(tracing: Tracing, req: IdentifiedRequest): RequestIds {
  const known = req[IDS];
  return known ?? (req[IDS] = resolveIds(new InboundHeaders(req), trusts(tracing, req)));
}

function resolveIds(headers: InboundHeaders, trusted: boolean): RequestIds {
  return trusted ? resolveRequestIds((name) => headers.get(name)) : { ...IGNORED, requestId: newRequestId() };
}

function trusts(tracing: Tracing, req: IncomingMessage): boolean {
  return guarded('trustIncoming', () => tracing.trusts(req), false);
}

/** Node joins repeated headers with a comma; where one is possible the values as they came decide. */
class InboundHeaders implements CarrierReader {
  constructor(private readonly req: IncomingMessage) {}

  get(name: string): string | readonly string[] | undefined {
    const value = this.req.headers[name];
    if (typeof value !== 'string' || name === 'tracestate' || !value.includes(',')) return value;
    return (this.req as { headersDistinct?: NodeJS.Dict<string[]> }).headersDistinct?.[name] ?? value;
  }

  keys(): string[] {
    return Object.keys(this.req.headers);
  }
}

const deprecation = new RateLimit(1000);
const MAX_SHOWN = 64;

/** Warns about the deprecated header (once a second for the process) and about what was wrong with the ids. */
export function warnAboutIds(log: Log, identity: Identity, ctx: Context): void {
  const deprecated = 'x-dynamo-request-id';
  if (identity.deprecatedHeader && !identity.invalid.some(({ header }) => header === deprecated)) {
    const suppressed = deprecation.take();
    if (suppressed !== undefined) {
      log.emit('warn', RECORD_TARGETS.request, 'header x-dynamo-request-id is deprecated, send request-id instead', suppressed > 0 ? { suppressed } : {}, { context: ctx });
    }
  }
  if (identity.invalid.length > 0) {
    const names = identity.invalid.map(({ header }) => header).join(' and ');
    const value = identity.invalid.map((rejected) => escapeControls(rejected.value.slice(0, MAX_SHOWN))).join(' and ');
    log.emit('warn', RECORD_TARGETS.request, `${names} must be a valid UUID`, { header: names, value }, { context: ctx });
  }
  if (identity.droppedXRequestId) {
    log.emit('warn', RECORD_TARGETS.request, 'x-request-id dropped: it must be one value of at most 256 visible ASCII characters', {}, { context: ctx });
  }
}
