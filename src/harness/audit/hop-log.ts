import { keep, type TraceStore } from '../record/index.js';
import { idsOf, keysOf, traceOf, type RequestKeys, type TraceSubject } from '../trace/index.js';
import { checkRequest } from './check.js';
import { correlate, type CorrelatedRequest } from './correlated-request.js';
import { AuditReport, type AuditedHop, type AuditedRequest, type SeenHop } from './hop.js';
import { inboundOf, watchedFetch, type InboundListener, type InboundRequest, type OutboundRequest } from './http-tap.js';

/** Inbound requests and hops kept; what is older goes first. */
const MAX_KEPT = 20_000;

/** The requests and hops that one harness has seen, and what belongs together. */
export class HopLog implements InboundListener {
  readonly #inbound: InboundRequest[] = [];
  readonly #hops: SeenHop[] = [];
  /** Responses of `harness.fetch` to what was really sent. */
  readonly #fetched = new WeakMap<object, OutboundRequest>();
  /** Requests that somebody asked about: an audit of everything includes them. */
  readonly #subjects = new Map<object, RequestKeys>();

  constructor(
    private readonly store: TraceStore,
    private readonly onChange: () => void,
  ) {}

  inbound(request: InboundRequest): void {
    keep(this.#inbound, request, MAX_KEPT);
  }

  finished(): void {
    this.onChange();
  }

  readonly hop = (hop: SeenHop): void => {
    keep(this.#hops, hop, MAX_KEPT);
    this.onChange();
  };

  /** The global fetch, whose response can be looked up although it may echo no id. */
  async fetch(...args: Parameters<typeof fetch>): Promise<Response> {
    const { response, request } = await watchedFetch(...args);
    this.#fetched.set(response, request);
    return response;
  }

  /** Everything that is known of a request. */
  request(subject: TraceSubject): CorrelatedRequest {
    const keys = keysOf(subject);
    const known = { ...keys, sent: keys.sent ?? this.#fetched.get(keys.response ?? this)?.sent };
    if (typeof subject !== 'string' && 'headers' in subject) this.#subjects.set(keys.clientRequest ?? subject, known);
    return this.#correlate(known);
  }

  /** Audits the request of `subject`; without one every request that crossed a hop of this harness or was asked about. */
  audit(subject?: TraceSubject): AuditReport {
    const requests = subject === undefined ? this.#allRequests() : [this.request(subject)];
    const attributed = new Set(requests.flatMap(({ hops }) => hops));
    const audited = requests.map((request): AuditedRequest => ({ traceId: request.traceId, requestId: request.requestId, hops: checkRequest(request, this.store.knownSpansOf(request.traceId ?? '')) }));
    const checked = requests.reduce((sum, { expected, hops }) => sum + Object.keys(expected).length * hops.length, 0);
    return new AuditReport(audited, subject === undefined ? this.#hops.filter((hop) => !attributed.has(hop)).map(unattributed) : [], checked);
  }

  #allRequests(): CorrelatedRequest[] {
    const requests = [...this.#subjects.values()].map((keys) => this.#correlate(keys));
    const attributed = new Set(requests.flatMap(({ hops }) => hops));
    const seen = new Set(requests.map(({ inbound }) => inbound));
    for (const hop of this.#hops) {
      if (attributed.has(hop)) continue;
      const request = this.#requestOf(hop);
      if (request === undefined) continue;
      if (request.inbound === undefined || !seen.has(request.inbound)) requests.push(request);
      seen.add(request.inbound);
      for (const other of request.hops) attributed.add(other);
    }
    return requests;
  }

  /** The request that a hop belongs to: by who sent it, else by the ids that it carries. */
  #requestOf(hop: SeenHop): CorrelatedRequest | undefined {
    const headers = hop.sent ?? hop.received;
    const keys: RequestKeys = hop.sender === undefined ? { traceId: traceOf(headers)?.traceId, id: idsOf(headers)[0] ?? hop.controlId } : { sent: hop.sender.received };
    if (hop.sender === undefined && keys.traceId === undefined && keys.id === undefined) return undefined;
    const request = this.#correlate(keys, hop.sender);
    return request.hops.includes(hop) ? request : undefined;
  }

  #correlate(keys: RequestKeys, inbound: InboundRequest | undefined = this.#inboundOf(keys)): CorrelatedRequest {
    return correlate(keys, inbound, { store: this.store, inbound: this.#inbound, hops: this.#hops });
  }

  #inboundOf({ clientRequest, response }: RequestKeys): InboundRequest | undefined {
    const found = clientRequest === undefined ? undefined : inboundOf(clientRequest);
    return found ?? this.#fetched.get(response ?? this)?.inbound;
  }
}

/** A hop with nothing on it that any request goes by has lost everything. */
function unattributed({ name, kind, sent, received }: SeenHop): AuditedHop {
  return { name, kind, sent, received, problems: [{ hop: name, header: 'traceparent', expected: undefined, sent: sent?.['traceparent'], received: received?.['traceparent'], cause: 'the hop carries no id of any request that was seen: it cannot be told whose it is' }] };
}
