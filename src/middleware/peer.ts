import type { Http2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { errorFact } from '../errors/index.js';
import { guarded } from '../internal/index.js';

/** The other end of a connection; one for all requests on it. */
export interface Peer {
  /** It closed the connection, or the network lost it, before this process did. */
  readonly hasLeft: boolean;
}

/** What is used of node:net's inside: `_handle` is the system's socket, `_destroy` what every way to close it goes through. */
interface SystemSocket {
  _handle?: { getpeername?(out: object): number } | null;
  _destroy(error: Error | null, done: (error?: Error | null) => void): void;
}
type WatchedSocket = Socket & SystemSocket & { [PEER]?: PeerWatch };
type WatchedSession = Http2Session & { [PEER]?: PeerWatch };

const PEER = Symbol.for('dynamo-tracing.peer.v1');
const GONE: Peer = { hasLeft: true };
const THERE: Peer = { hasLeft: false };

class PeerWatch implements Peer {
  hasLeft = false;

  constructor(readonly destroy: SystemSocket['_destroy']) {}
}

/** Watches a connection from its first request on. */
export function peerOf(socket: Socket): Peer {
  return (socket as WatchedSocket)[PEER] ?? guarded('connection', () => watch(socket as WatchedSocket), THERE);
}

/** The same for HTTP/2, whose client may also say that it goes because of an error: Node destroys the session then. */
export function peerOfSession(session: WatchedSession | undefined): Peer {
  // The connection went down while something before the middleware took its time.
  if (session === undefined || session.destroyed) return GONE;
  return session[PEER] ?? guarded<Peer>('connection', () => {
    const peer = session[PEER] = watch(session.socket);
    session.prependListener('goaway', (code: number) => {
      if (code !== 0) peer.hasLeft = true;
    });
    return peer;
  }, THERE);
}

function watch(socket: WatchedSocket): PeerWatch {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the socket as its this
  const peer = new PeerWatch(socket._destroy);
  socket[PEER] = peer;
  // A socket of somebody's own making (light-my-request's) is nobody's connection.
  if (typeof peer.destroy === 'function') socket._destroy = watchedDestroy;
  return peer;
}

function watchedDestroy(this: WatchedSocket, error: Error | null, done: (error?: Error | null) => void): void {
  const peer = this[PEER] as PeerWatch;
  guarded('connection', () => {
    peer.hasLeft ||= this.readableEnded || (isSystemError(error) && isDisconnected(this));
  }, undefined);
  peer.destroy.call(this, error, done);
}

/** An error of a system call. */
function isSystemError(error: unknown): boolean {
  return typeof errorFact(error, 'syscall') === 'string';
}

/**
 * Whether the system has lost the connection. Its error alone does not tell: this process may have passed on that of another
 * connection, to an upstream as a rule, and this one still stands then. Pipes and Windows do not say: there the error counts.
 */
function isDisconnected({ _handle: handle }: SystemSocket): boolean {
  return process.platform === 'win32' || typeof handle?.getpeername !== 'function' || handle.getpeername({}) !== 0;
}
