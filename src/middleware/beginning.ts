import type { TracedSpan } from '../spans/index.js';
import type { InboundRequest, OutboundResponse } from './arrival.js';
import type { Identity } from './identity.js';
import type { RouteClass } from './routes.js';

/** What a request begins with. */
export interface Beginning {
  readonly req: InboundRequest;
  readonly res: OutboundResponse;
  readonly routeClass: RouteClass;
  readonly identity: Identity;
  readonly span: TracedSpan;
  /** The fields that every log line of the request repeats. */
  readonly logFields: Record<string, unknown>;
  /** The route that the framework matched, asked for when the head is written. */
  readonly routeOf: () => string | undefined;
  /** Whether the application has a request logger of its own, whose lines say `request completed` too. */
  readonly hasRequestLogger: () => boolean;
  /** Called when everything has been written: an adopted span that was held open is let go. */
  readonly release: (() => void) | undefined;
}
