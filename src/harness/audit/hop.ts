import type { CarrierTarget } from '../../trace-context/index.js';
import type { HopHeaders } from '../trace/index.js';
import type { InboundRequest } from './http-tap.js';

/** Kinds of hops. */
export type HopKind = 'http' | 'tcp' | 'engine' | 'upstream' | 'nats' | 'other';

/** One crossing of a process boundary, as it was seen. */
export interface SeenHop {
  /** E.g. `gateway → worker dynamo.backend.generate`. */
  readonly name: string;
  readonly kind: HopKind;
  /** What the sender put on it; undefined when only the receiver was seen. */
  readonly sent: HopHeaders | undefined;
  /** What the receiver got; undefined when nothing reached it. */
  readonly received: HopHeaders | undefined;
  /** A request id that travelled otherwise than in headers. */
  readonly controlId: string | undefined;
  /** Faults that hit it. */
  readonly faults: readonly string[];
  /** The request whose handler sent it, by async context; undefined when that cannot be told. */
  readonly sender: InboundRequest | undefined;
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
export interface AuditedHop {
  readonly name: string;
  readonly kind: HopKind;
  readonly sent: HopHeaders | undefined;
  readonly received: HopHeaders | undefined;
  readonly problems: readonly HopProblem[];
}

/** One request with all its hops. */
export interface AuditedRequest {
  readonly traceId: string | undefined;
  readonly requestId: string | undefined;
  readonly hops: readonly AuditedHop[];
}

/** Headers of a hop that the harness cannot see by itself. */
export interface ReportedHop {
  /** E.g. `worker → engine`. */
  readonly name: string;
  readonly kind?: HopKind | undefined;
  /** Headers as the sender put them on; any carrier. Default: as received. */
  readonly sent?: CarrierTarget | undefined;
  /** Headers as the receiver got them; any carrier. Default: as sent. */
  readonly received?: CarrierTarget | undefined;
}
