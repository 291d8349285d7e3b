import { isUsableXRequestId, parseTracestate } from '../../trace-context/index.js';
import type { TraceStore } from '../record/index.js';
import { idsOf, isCanonical, isIdOrPart, traceOf, type HopHeaders, type RequestKeys } from '../trace/index.js';
import type { SeenHop } from './hop.js';
import type { InboundRequest } from './http-tap.js';

/** What belongs to one request, as far as it can be told now. */
export interface CorrelatedRequest {
  /** The trace that the gateway is in. */
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

/** What is searched for things that belong to a request. */
export interface Sources {
  readonly store: TraceStore;
  readonly inbound: readonly InboundRequest[];
  readonly hops: readonly SeenHop[];
}

/** Everything that belongs to the request of these keys. */
export function correlate(keys: RequestKeys, known: InboundRequest | undefined, sources: Sources): CorrelatedRequest {
  const ids = new Set([keys.id, ...idsOf(keys.answered), ...idsOf(keys.sent)].filter((id) => id !== undefined));
  const inbound = known ?? findInbound(keys, ids, sources.inbound);
  for (const id of [...idsOf(inbound?.received), ...(inbound?.requestIds ?? [])]) ids.add(id);
  const received = inbound?.received ?? keys.sent;
  const entered = traceOf(received);
  const traceId = findTrace(keys, entered?.traceId, ids, inbound, sources);
  const traces = new Set([traceId, entered?.traceId, ...(inbound?.traceIds ?? [])]);
  const hops = sources.hops.filter((hop) => traces.has(traceOnHop(hop) ?? '') || carriesId(hop, ids) || (inbound !== undefined && hop.sender === inbound));
  const decided = traceId ?? hops.map(traceOnHop).find((trace) => trace !== undefined) ?? keys.traceId ?? entered?.traceId;
  const requestId = findRequestId(keys, ids, decided, inbound, sources);
  const expected = expectedHeaders(decided, requestId, keys, sources, received);
  return { traceId: decided, requestId, sent: keys.sent ?? inbound?.received, inbound, callerSpanId: entered?.traceId === decided ? entered?.spanId : undefined, hops, expected };
}

function findInbound(keys: RequestKeys, ids: ReadonlySet<string>, inbound: readonly InboundRequest[]): InboundRequest | undefined {
  const traceId = keys.traceId ?? traceOf(keys.sent)?.traceId;
  return inbound.findLast(({ received, requestIds, traceIds }) => [...idsOf(received), ...requestIds].some((id) => ids.has(id)) || (traceId !== undefined && (traceOf(received)?.traceId === traceId || traceIds.has(traceId))));
}

/**
 * The trace that the gateway made of the request: the one it was asked to continue if it has done so, else the first that was
 * begun while it answered. Of a gateway in another process: the one it sent on, else the one that is named with the ids first.
 */
function findTrace(keys: RequestKeys, entered: string | undefined, ids: ReadonlySet<string>, inbound: InboundRequest | undefined, sources: Sources): string | undefined {
  const { store } = sources;
  for (const asked of [keys.traceId, entered]) if (asked !== undefined && store.knownSpansOf(asked).length > 0) return asked;
  const [begun] = inbound?.traceIds ?? [];
  if (begun !== undefined) return begun;
  const sent = sources.hops.find((hop) => carriesId(hop, ids) && traceOf(hop.sent) !== undefined);
  if (sent !== undefined) return traceOf(sent.sent)?.traceId;
  const spans = store.spans.filter(({ attributes }) => [attributes['request_id'], attributes['x_request_id']].some((id) => isOneOf(id, ids)));
  const first = spans.sort((a, b) => a.startMs - b.startMs)[0];
  return first?.traceId ?? store.records.find(({ requestId, traceId, fields }) => traceId !== undefined && (isOneOf(requestId, ids) || isOneOf(fields['x_request_id'], ids)))?.traceId;
}

function isOneOf(id: unknown, ids: ReadonlySet<string>): boolean {
  return typeof id === 'string' && [...ids].some((known) => isIdOrPart(id, known));
}

function carriesId(hop: SeenHop, ids: ReadonlySet<string>): boolean {
  return [...idsOf(hop.sent ?? hop.received), hop.controlId].some((id) => isOneOf(id, ids));
}

function traceOnHop(hop: SeenHop): string | undefined {
  return traceOf(hop.sent ?? hop.received)?.traceId;
}

function findRequestId(keys: RequestKeys, ids: ReadonlySet<string>, traceId: string | undefined, inbound: InboundRequest | undefined, { store }: Sources): string | undefined {
  const named = [keys.answered?.['request-id'], keys.id === keys.traceId ? undefined : keys.id, ...(inbound?.requestIds ?? [])].find(isCanonical);
  if (named !== undefined || traceId === undefined) return named ?? [...ids].find(isCanonical);
  const span = store.spansOf(traceId).find(({ attributes, parentSpanId, parentIsRemote }) => typeof attributes['request_id'] === 'string' && (parentSpanId === undefined || parentIsRemote === true));
  if (typeof span?.attributes['request_id'] === 'string') return span.attributes['request_id'];
  return store.records.find((record) => record.traceId === traceId && record.requestId !== undefined)?.requestId ?? [...ids].find(isCanonical);
}

/** By the rules of the gateway: it continues its own trace, keeps the tracestate, passes on the ids that it answered with. */
function expectedHeaders(traceId: string | undefined, requestId: string | undefined, keys: RequestKeys, { store }: Sources, entered: HopHeaders | undefined): HopHeaders {
  const expected: Record<string, string> = {};
  const inTrace = traceOf(entered);
  if (traceId !== undefined && (inTrace?.traceId === traceId || store.knownSpansOf(traceId).length > 0)) expected['traceparent'] = traceId;
  const tracestate = inTrace?.traceId === traceId ? parseTracestate(entered?.['tracestate'] ?? '') : undefined;
  if (tracestate !== undefined) expected['tracestate'] = tracestate;
  const own = entered?.['x-request-id'];
  if (own !== undefined && isUsableXRequestId(own)) expected['x-request-id'] = own;
  const canonical = keys.answered?.['request-id'] ?? entered?.['request-id'] ?? (expected['traceparent'] === undefined ? undefined : requestId);
  if (isCanonical(canonical)) expected['request-id'] = canonical;
  return expected;
}
