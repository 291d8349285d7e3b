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
export function identify(tracing: Tracing, req: IncomingMessage): Identity {
  const trusted = trusts(tracing, req);
  const carrier = inboundHeaders(req);
  const ids = requestIdsOf(tracing, req);
  const active = activeContext();
  const live = trace.getSpanContext(active);
  if (live !== undefined && isSpanContextValid(live) && live.isRemote !== true) return { ...ids, parent: active, links: undefined, insideServerSpan: true };
  const extracted = extractTrace(carrier);
  if (extracted === undefined) return { ...ids, parent: active, links: undefined, insideServerSpan: false };
  const remote = remoteSpanContext(extracted);
  if (!trusted) return { ...ids, parent: active === ROOT_CONTEXT ? active : trace.deleteSpan(active), links: [{ context: remote }], insideServerSpan: false };
  return { ...ids, parent: trace.setSpanContext(active, remote), links: undefined, insideServerSpan: false };
}

const IDS = Symbol.for('dynamo-tracing.request-ids.v1');

/** The ids of a request, decided at the first call: a framework may ask for the id before the request's lifecycle begins. */
export function requestIdsOf(tracing: Tracing, req: IncomingMessage & { [IDS]?: RequestIds }): RequestIds {
  if (req[IDS] !== undefined) return req[IDS];
  const carrier = inboundHeaders(req);
  const ids = trusts(tracing, req) ? resolveRequestIds((name) => carrier.get(name)) : { ...IGNORED, requestId: newRequestId() };
  req[IDS] = ids;
  return ids;
}

function trusts(tracing: Tracing, req: IncomingMessage): boolean {
  return guarded('trustIncoming', () => tracing.trusts(req), false);
}

/** Node joins repeated headers with a comma; where one is possible the values as they came decide. */
function inboundHeaders(req: IncomingMessage): CarrierReader {
  return {
    get: (name) => {
      const value = req.headers[name];
      if (typeof value !== 'string' || name === 'tracestate' || !value.includes(',')) return value;
      return (req as { headersDistinct?: NodeJS.Dict<string[]> }).headersDistinct?.[name] ?? value;
    },
    keys: () => Object.keys(req.headers),
  };
}

const deprecation = new RateLimit(1000);
const MAX_SHOWN = 64;

/** Warns about the deprecated header (once a second for the process) and about what was wrong with the ids. */
export function warnAboutIds(log: Log, identity: Identity, ctx: Context): void {
  if (identity.deprecatedHeader) {
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
