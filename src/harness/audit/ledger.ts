import type { TraceStore } from '../record/index.js';
import { cluesOf, idsOf, traceOf, type Clues, type TraceSubject } from '../trace/index.js';
import { checkStory } from './check.js';
import type { AuditedHop, AuditedRequest, SeenHop } from './hop.js';
import { inboundOf, type FetchProbe, type InboundListener, type InboundRequest } from './http-tap.js';
import { AuditReport } from './report.js';
import { spanIdsOf, tellStory, type Story } from './story.js';

/** Inbound requests and hops kept; what is older goes first. */
const MAX_KEPT = 20_000;

/** What one harness has seen of requests and hops, and the stories it makes of them. */
export class Ledger implements InboundListener {
  readonly #inbound: InboundRequest[] = [];
  readonly #hops: SeenHop[] = [];
  readonly #probes = new WeakMap<object, FetchProbe>();
  /** Requests that somebody asked about: an audit of everything includes them. */
  readonly #subjects = new Map<object, Clues>();

  /** Ports of servers of the harness itself: what they get is no request of the app under test. */
  readonly #ownPorts = new Set<number>();

  constructor(
    private readonly store: TraceStore,
    private readonly onChange: () => void,
  ) {}

  inbound(request: InboundRequest): void {
    if (request.port !== undefined && this.#ownPorts.has(request.port)) return;
    this.#inbound.push(request);
    if (this.#inbound.length > MAX_KEPT) this.#inbound.shift();
  }

  finished(): void {
    this.onChange();
  }

  /** Notes a hop; the requests being answered now are those it may belong to. */
  hop(hop: Omit<SeenHop, 'during'>): void {
    this.#hops.push({ ...hop, during: this.#inbound.filter(({ finished }) => !finished) });
    if (this.#hops.length > MAX_KEPT) this.#hops.shift();
    this.onChange();
  }

  ignorePort(port: number): void {
    this.#ownPorts.add(port);
  }

  /** Remembers what a fetch of ours really sent. */
  probed(response: object, probe: FetchProbe): void {
    this.#probes.set(response, probe);
  }

  /** Everything that is known of a request. */
  story(subject: TraceSubject): Story {
    const clues = this.#withProbe(cluesOf(subject));
    if (typeof subject !== 'string' && 'headers' in subject) this.#subjects.set(clues.clientRequest ?? subject, clues);
    return this.#tell(clues);
  }

  /** Audits the request of `subject`; without one every request that crossed a hop of this harness or was asked about. */
  audit(subject?: TraceSubject): AuditReport {
    if (subject !== undefined) {
      const story = this.story(subject);
      return this.#report([story], []);
    }
    const stories = this.#allStories();
    const told = new Set(stories.flatMap(({ hops }) => hops));
    return this.#report(stories, this.#hops.filter((hop) => !told.has(hop)));
  }

  #allStories(): Story[] {
    const stories = [...this.#subjects.values()].map((clues) => this.#tell(clues));
    const told = new Set(stories.flatMap(({ hops }) => hops));
    const seen = new Set(stories.map(({ inbound }) => inbound));
    for (const hop of this.#hops) {
      if (told.has(hop)) continue;
      const story = this.#storyOfHop(hop);
      if (story === undefined) continue;
      if (story.inbound === undefined || !seen.has(story.inbound)) stories.push(story);
      seen.add(story.inbound);
      for (const other of story.hops) told.add(other);
    }
    return stories;
  }

  /** A hop that names an id tells its own story; one that names none needs a request that it can belong to. */
  #storyOfHop(hop: SeenHop): Story | undefined {
    const headers = hop.sent ?? hop.received;
    const [only, ...others] = hop.during;
    const inbound = others.length === 0 ? only : undefined;
    const clues: Clues = { traceId: traceOf(headers)?.traceId, id: idsOf(headers)[0] ?? hop.controlId };
    if (clues.traceId === undefined && clues.id === undefined && inbound === undefined) return undefined;
    const story = this.#tell(inbound === undefined ? clues : { sent: inbound.received }, inbound);
    return story.hops.includes(hop) ? story : undefined;
  }

  #tell(clues: Clues, inbound: InboundRequest | undefined = this.#inboundOf(clues)): Story {
    return tellStory(clues, inbound, { store: this.store, inbound: this.#inbound, hops: this.#hops });
  }

  #withProbe(clues: Clues): Clues {
    const probe = clues.response === undefined ? undefined : this.#probes.get(clues.response);
    return probe === undefined ? clues : { ...clues, sent: clues.sent ?? probe.sent };
  }

  #inboundOf({ clientRequest, response }: Clues): InboundRequest | undefined {
    const found = clientRequest === undefined ? undefined : inboundOf(clientRequest);
    return found ?? (response === undefined ? undefined : this.#probes.get(response)?.inbound);
  }

  #report(stories: readonly Story[], alone: readonly SeenHop[]): AuditReport {
    const requests = stories.map((story): AuditedRequest => ({ traceId: story.traceId, requestId: story.requestId, hops: checkStory(story, spanIdsOf(story.traceId, this.store)) }));
    const checked = stories.reduce((sum, { expected, hops }) => sum + Object.keys(expected).length * hops.length, 0);
    return new AuditReport(requests, alone.map(unattributed), checked);
  }
}

/** A hop with nothing on it that any request goes by has lost everything. */
function unattributed({ name, kind, sent, received }: SeenHop): AuditedHop {
  return { name, kind, sent, received, problems: [{ hop: name, header: 'traceparent', expected: undefined, sent: sent?.['traceparent'], received: received?.['traceparent'], cause: 'the hop carries no id of any request that was seen: it cannot be told whose it is' }] };
}
