import type { CarrierTarget } from '../../trace-context/index.js';
import { hopHeaders, type HopHeaders } from '../trace/index.js';
import type { InboundRequest } from './http-tap.js';

/** Kinds of hops. */
export type HopKind = 'http' | 'tcp' | 'engine' | 'upstream' | 'nats' | 'other';

/** One crossing of a process boundary. */
interface Hop {
  /** E.g. `gateway → worker dynamo.backend.generate`. */
  readonly name: string;
  readonly kind: HopKind;
  /** What the sender put on it; undefined when only the receiver was seen. */
  readonly sent: HopHeaders | undefined;
  /** What the receiver got; undefined when nothing reached it. */
  readonly received: HopHeaders | undefined;
}

/** A hop as it was seen. */
export interface SeenHop extends Hop {
  /** A request id that travelled otherwise than in headers. */
  readonly controlId?: string | undefined;
  /** Faults that hit it. */
  readonly faults?: readonly string[] | undefined;
  /** The request whose handler sent it, by async context; undefined when that cannot be told. */
  readonly sender?: InboundRequest | undefined;
}

/** The hop of a request that may be received later, as one that hangs. */
export function requestHop(name: string, kind: HopKind, request: { readonly sent: CarrierTarget; readonly received: CarrierTarget | undefined } & Pick<SeenHop, 'controlId' | 'faults'>, sender?: InboundRequest): SeenHop {
  return {
    name, kind, sent: hopHeaders(request.sent), controlId: request.controlId, faults: request.faults, sender,
    get received() {
      return request.received === undefined ? undefined : hopHeaders(request.received);
    },
  };
}

/** A header that did not come through a hop as it should. */
export interface HopProblem {
  readonly hop: string;
  readonly header: string;
  /** What it should have been; undefined when only sender and receiver were compared. */
  readonly expected: string | undefined;
  readonly sent: string | undefined;
  readonly received: string | undefined;
  readonly cause: string;
}

/** One hop of an audited request. */
export interface AuditedHop extends Hop {
  readonly problems: readonly HopProblem[];
}

/** One request with all its hops. */
export interface AuditedRequest {
  readonly traceId: string | undefined;
  readonly requestId: string | undefined;
  readonly hops: readonly AuditedHop[];
}

/** What an audit found: requests, their hops, and every header that was lost or changed. */
export class AuditReport {
  constructor(
    readonly requests: readonly AuditedRequest[],
    /** Hops that no request could be found for: they carried none of the ids of any. */
    readonly unattributed: readonly AuditedHop[],
    /** Headers that were expected somewhere: an audit with none has checked nothing. */
    readonly checked: number,
  ) {}

  get hops(): readonly AuditedHop[] {
    return [...this.requests.flatMap(({ hops }) => hops), ...this.unattributed];
  }

  get problems(): readonly HopProblem[] {
    return this.hops.flatMap(({ problems }) => problems);
  }

  /** A table for people: each hop with the trace headers in and out. */
  toString(): string {
    return this.requests.map((request) => [`request ${request.requestId ?? '(no id)'} in trace ${request.traceId ?? '(none)'}`, ...request.hops.map(hopText)].join('\n')).concat(this.unattributed.map(hopText)).join('\n');
  }
}

function hopText(hop: AuditedHop): string {
  const head = `  ${hop.problems.length === 0 ? 'ok  ' : 'LOST'} ${hop.name}`;
  return [head, `       sent      ${headersText(hop.sent)}`, `       received  ${headersText(hop.received)}`].join('\n');
}

/** The problems of a report, one a paragraph, those of the first hop first. */
export function problemsText(problems: readonly HopProblem[]): string {
  return problems.flatMap(({ hop, header, expected, sent, received, cause }) => [
    `${hop}: ${header}: ${cause}`,
    ...(expected === undefined ? [] : [`    expected  ${expected}`]),
    `    sent      ${sent ?? '(absent)'}`,
    `    received  ${received ?? '(absent)'}`,
  ]).join('\n');
}

/** One hop's headers as `name: value` pairs, for messages. */
export function headersText(headers: HopHeaders | undefined): string {
  if (headers === undefined) return '(not seen)';
  const pairs = Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return pairs.length === 0 ? '(none)' : pairs.map(([name, value]) => `${name}: ${value}`).join('  ');
}
