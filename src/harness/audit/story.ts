import { isUsableXRequestId, parseTracestate } from '../../trace-context/index.js';
import type { CapturedRecord, FinishedSpan, StartedSpan, TraceStore } from '../record/index.js';
import { idsOf, isCanonical, traceOf, type Clues, type HopHeaders } from '../trace/index.js';
import type { SeenHop } from './hop.js';
import type { InboundRequest } from './http-tap.js';

/** What belongs to one request, as far as it can be told now. */
export interface Story {
  readonly traceId: string | undefined;
  readonly requestId: string | undefined;
  /** What the client sent, by its own account. */
  readonly sent: HopHeaders | undefined;
  /** The gateway's side of the request. */
  readonly inbound: InboundRequest | undefined;
  /** The client's span. */
  readonly callerSpanId: string | undefined;
  readonly hops: readonly SeenHop[];
  /** Headers that every hop behind the gateway must carry. */
  readonly expected: HopHeaders;
}

/** What stories are told from. */
export interface Sources {
  readonly store: TraceStore;
  readonly inbound: readonly InboundRequest[];
  readonly hops: readonly SeenHop[];
}

/** Everything that belongs to the request that `clues` tell of. */
export function tellStory(clues: Clues, known: InboundRequest | undefined, sources: Sources): Story {
  const ids = new Set([clues.id, ...idsOf(clues.answered), ...idsOf(clues.sent)].filter((id) => id !== undefined));
  const inbound = known ?? findInbound(clues, ids, sources.inbound);
  for (const id of idsOf(inbound?.received)) ids.add(id);
  const sent = clues.sent ?? inbound?.received;
  const entered = traceOf(inbound?.received ?? sent);
  const traceId = clues.traceId !== undefined && isKnown(clues.traceId, sources) ? clues.traceId : findTrace(entered?.traceId, ids, sources);
  const hops = sources.hops.filter((hop) => belongs(hop, traceId, entered?.traceId, ids, inbound));
  const decided = traceId ?? firstTrace(hops) ?? clues.traceId ?? entered?.traceId;
  const requestId = findRequestId(clues, ids, decided, sources);
  return { traceId: decided, requestId, sent, inbound, callerSpanId: entered?.traceId === decided ? entered?.spanId : undefined, hops, expected: expectedHeaders(decided, requestId, clues, sources, inbound?.received ?? sent) };
}

function findInbound(clues: Clues, ids: ReadonlySet<string>, inbound: readonly InboundRequest[]): InboundRequest | undefined {
  const traceId = clues.traceId ?? traceOf(clues.sent)?.traceId;
  return inbound.findLast(({ received }) => idsOf(received).some((id) => ids.has(id)) || (traceId !== undefined && traceOf(received)?.traceId === traceId));
}

function isKnown(traceId: string, { store }: Sources): boolean {
  return store.spansOf(traceId).length > 0 || store.openSpansOf(traceId).length > 0;
}

/** The trace that the gateway made of the request: the one it was asked to continue when it did, else the one that names its ids. */
function findTrace(entered: string | undefined, ids: ReadonlySet<string>, sources: Sources): string | undefined {
  if (entered !== undefined && isKnown(entered, sources)) return entered;
  const { spans, records } = sources.store;
  const span = spans.find(({ attributes }) => [attributes['request_id'], attributes['x_request_id']].some((id) => typeof id === 'string' && ids.has(id)));
  if (span !== undefined) return span.traceId;
  const record = records.find(({ requestId, traceId, fields }) => traceId !== undefined && ((requestId !== undefined && ids.has(requestId)) || (typeof fields['x_request_id'] === 'string' && ids.has(fields['x_request_id']))));
  return record?.traceId;
}

/** A hop with none of the request's ids belongs to it when it happened while no other request was being answered. */
function belongs(hop: SeenHop, traceId: string | undefined, entered: string | undefined, ids: ReadonlySet<string>, inbound: InboundRequest | undefined): boolean {
  const trace = traceOf(hop.sent ?? hop.received)?.traceId;
  if (trace !== undefined && (trace === traceId || trace === entered)) return true;
  if ([...idsOf(hop.sent ?? hop.received), hop.controlId].some((id) => id !== undefined && ids.has(id))) return true;
  return inbound !== undefined && hop.during.length === 1 && hop.during[0] === inbound;
}

function firstTrace(hops: readonly SeenHop[]): string | undefined {
  for (const hop of hops) {
    const trace = traceOf(hop.sent ?? hop.received);
    if (trace !== undefined) return trace.traceId;
  }
  return undefined;
}

function findRequestId(clues: Clues, ids: ReadonlySet<string>, traceId: string | undefined, { store }: Sources): string | undefined {
  const answered = clues.answered?.['request-id'];
  if (isCanonical(answered)) return answered;
  if (isCanonical(clues.id) && clues.id !== clues.traceId) return clues.id;
  const ofTrace = (item: FinishedSpan | CapturedRecord): boolean => item.traceId === traceId;
  const span = traceId === undefined ? undefined : store.spans.find((item) => ofTrace(item) && typeof item.attributes['request_id'] === 'string' && (item.parentSpanId === undefined || item.parentIsRemote === true));
  if (typeof span?.attributes['request_id'] === 'string') return span.attributes['request_id'];
  return store.records.find((item) => traceId !== undefined && ofTrace(item) && item.requestId !== undefined)?.requestId ?? [...ids].find(isCanonical);
}

/** By the rules of the gateway: it continues its own trace, keeps the tracestate, passes on the ids that it answered with. */
function expectedHeaders(traceId: string | undefined, requestId: string | undefined, clues: Clues, { store }: Sources, entered: HopHeaders | undefined): HopHeaders {
  const expected: Record<string, string> = {};
  const inTrace = traceOf(entered);
  if (traceId !== undefined && (inTrace?.traceId === traceId || store.spansOf(traceId).length + store.openSpansOf(traceId).length > 0)) expected['traceparent'] = traceId;
  const tracestate = inTrace?.traceId === traceId ? parseTracestate(entered?.['tracestate'] ?? '') : undefined;
  if (tracestate !== undefined) expected['tracestate'] = tracestate;
  const own = entered?.['x-request-id'];
  if (own !== undefined && isUsableXRequestId(own)) expected['x-request-id'] = own;
  const canonical = clues.answered?.['request-id'] ?? entered?.['request-id'] ?? (expected['traceparent'] === undefined ? undefined : requestId);
  if (isCanonical(canonical)) expected['request-id'] = canonical;
  return expected;
}

/** Spans of a trace that this process made, open ones included. */
export function spanIdsOf(traceId: string | undefined, store: TraceStore): ReadonlyMap<string, StartedSpan> {
  if (traceId === undefined) return new Map();
  return new Map([...store.spansOf(traceId), ...store.openSpansOf(traceId)].map((span) => [span.spanId, span]));
}
