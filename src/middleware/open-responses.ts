import type { ServerResponse } from 'node:http';
import type { Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { onProcessEnd } from '../internal/index.js';

/** A recorded response of Node's own that has not ended yet. */
export interface OpenResponse extends OpenRecord {
  readonly res: ServerResponse;
}

/** A record that has not been completed yet. */
export interface OpenRecord {
  /** HTTP/1: the connection; HTTP/2: the session. */
  readonly carrier: Socket | Http2Session | undefined;
  /** Ends its record now, as what it is at this moment: its process or its connection goes away. */
  cut(): void;
}

const open = new Set<OpenRecord>();
/** Those that have carried a request: Node does not tell which sessions a server has. */
const sessions = new Set<Http2Session>();

/** Adds a response until `noteClosed`. When the process ends, no `close` comes any more: what is open then is cut, and its record comes before what writes it out for good. */
export function noteOpen(response: OpenRecord): void {
  open.add(response);
  const { carrier } = response;
  if (carrier !== undefined && isSession(carrier) && !carrier.destroyed && !sessions.has(carrier)) {
    sessions.add(carrier);
    carrier.once('close', forgetSession);
  }
  onProcessEnd(cutAll);
}

export function noteClosed(response: OpenRecord): void {
  open.delete(response);
}

/** The open responses of a server, or of all, in the order of their arrival. */
export function openResponses(server?: unknown): readonly OpenResponse[] {
  return [...open].filter((record): record is OpenResponse => 'res' in record && (server === undefined || serverOf(record.carrier) === server));
}

/** The HTTP/2 sessions of a server that have carried a recorded request. */
export function openSessions(server: unknown): readonly Http2Session[] {
  return [...sessions].filter((session) => serverOf(session) === server);
}

export function isSession(carrier: Socket | Http2Session): carrier is Http2Session {
  return 'goaway' in carrier;
}

/** Node has the server on each connection that it accepts. */
function serverOf(carrier: Socket | Http2Session | undefined): unknown {
  if (carrier === undefined || carrier.destroyed) return undefined; // a session that is destroyed has no socket to ask
  const socket = isSession(carrier) ? carrier.socket as Socket | undefined : carrier;
  return (socket as { server?: unknown } | undefined)?.server;
}

function forgetSession(this: Http2Session): void {
  sessions.delete(this);
}

function cutAll(): void {
  for (const left of [...open]) left.cut();
}
