import { invalidOption } from '../../internal/index.js';
import { readLogger, RECORD_TARGETS, type Log, type LoggerOption } from '../../logging/index.js';
import { ACK_ACCEPTED, type RequestHeaders } from '../../protocol/index.js';
import { carrierOf } from '../../trace-context/index.js';
import type { EndpointName } from '../discovery/index.js';
import { instanceIdOption } from '../discovery/record.js';
import type { NatsConnection, NatsMessage, NatsSubscription } from './connection.js';
import type { PayloadHandler } from '../server/payload-handler.js';
import { makeEndpoint, type EndpointEntry } from '../server/taken-request.js';
import type { EndpointHandler, EndpointIdentity } from '../types.js';

/** Group that an instance's subscriptions share, by the name that Dynamo's NATS services have. */
const QUEUE = 'q';

/** What serves requests: a `RequestPlaneServer`, listening or not. Its bounds hold for all its planes together. */
export interface NatsHost {
  readonly instanceId: bigint;
  readonly payloads: PayloadHandler;
}

/** Settings of {@link serveNats}. */
export interface ServeNatsOptions {
  /** Default: the server's. Two endpoints of one name and id share their requests. */
  readonly instanceId?: bigint | undefined;
  /** Takes warnings. Default: the package's logger; false is silence. */
  readonly logger?: LoggerOption | undefined;
}

/** An endpoint that is served over NATS. */
export interface NatsEndpoint extends EndpointIdentity {
  /** What callers address; `{ nats_tcp: subject }` in discovery. */
  readonly subject: string;
  /** Requests being handled or queued. */
  readonly inFlight: number;
  /** Takes no more requests; those that came already are served. Settles when the subscription is gone. */
  remove(): Promise<void>;
}

/**
 * Serves an endpoint (`namespace.component.endpoint`) over Dynamo's NATS request plane. Each request is acknowledged at once
 * by an empty reply, or refused by a text, and then handled as one that came over TCP. Settles when the NATS server knows the
 * subscription. The connection and the server stay their owners': close the endpoint, then the server, then the connection.
 * @throws ERR_OPTION_INVALID; what the NATS client throws when the connection is closed
 */
export async function serveNats<Request = unknown, Item = unknown>(
  connection: NatsConnection,
  server: NatsHost,
  name: string | EndpointName,
  handler: EndpointHandler<Request, Item>,
  options: ServeNatsOptions = {},
): Promise<NatsEndpoint> {
  const log = readLogger(options.logger, 'serveNats.logger');
  const entry = makeEndpoint(name, handler as EndpointHandler, instanceIdOption(options.instanceId, 'serveNats.instanceId') ?? server.instanceId);
  const subject = natsSubject(entry, entry.instanceId);
  const subscription = connection.subscribe(subject, {
    queue: QUEUE,
    callback: (error, message) => {
      if (error === null) take(server.payloads, message, entry);
      else warn(log, 'the subscription of an endpoint failed', entry, error);
    },
  });
  await connection.flush();
  return served(entry, subject, () => leave(connection, subscription, log, entry));
}

function take(payloads: PayloadHandler, message: NatsMessage, entry: EndpointEntry): void {
  const ack = payloads.accept(headersOf(message), message.data, entry);
  message.respond(ack === ACK_ACCEPTED ? undefined : ack);
}

/** Names in lower case. Several values of one name are joined: no valid traceparent comes of that, as it must be. */
function headersOf(message: NatsMessage): RequestHeaders {
  const headers = Object.create(null) as Record<string, string>;
  if (message.headers === undefined) return headers;
  const carrier = carrierOf(message.headers);
  for (const key of carrier.keys()) {
    const value = carrier.get(key);
    if (value !== undefined) headers[key.toLowerCase()] = typeof value === 'string' ? value : value.join(',');
  }
  return headers;
}

async function leave(connection: NatsConnection, subscription: NatsSubscription, log: Log, entry: EndpointEntry): Promise<void> {
  if (connection.isClosed()) return;
  try {
    await subscription.drain();
  } catch (error) {
    warn(log, 'the subscription of an endpoint could not be ended', entry, error);
  }
}

function served(entry: EndpointEntry, subject: string, end: () => Promise<void>): NatsEndpoint {
  const { namespace, component, endpoint, instanceId } = entry;
  let ended: Promise<void> | undefined;
  return {
    namespace, component, endpoint, instanceId, subject,
    remove: () => (ended ??= end()),
    get inFlight() { return entry.inFlight; },
  };
}

function warn(log: Log, message: string, entry: EndpointEntry, error: unknown): void {
  log.emit('warn', RECORD_TARGETS.transport, message, { ...entry.fields, err: error });
}

/**
 * The subject that an instance serves on Dynamo's NATS request plane: `<namespace>_<component>.<endpoint>-<instance id in lower
 * hex>`, namespace and component in lower case with `_` for everything but letters, digits, `-` and `_`.
 *
 * Running workers of 1.5 and 1.6 subscribe to this one but announce the names as they are written: with a capital in them no
 * Dynamo client reaches the worker (docs/interop.md). Ours announces what it serves.
 * @throws ERR_OPTION_INVALID for an endpoint name that no subject can hold: white space, `*`, `>`, an empty part.
 */
export function natsSubject({ namespace, component, endpoint }: EndpointName, instanceId: bigint): string {
  if (!/^[^\s.*>]+(?:\.[^\s.*>]+)*$/.test(endpoint)) throw invalidOption('endpoint', 'a name that a NATS subject can hold', endpoint);
  return `${slug(`${namespace}_${component}`)}.${endpoint}-${instanceId.toString(16)}`;
}

/** Dynamo's slug of a service name. */
function slug(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9_-]/gu, '_').replace(/^_+/, '');
}
