import * as net from 'node:net';
import * as tls from 'node:tls';
import type { Duplex } from 'node:stream';
import { DynamoTracingError } from '../errors/index.js';
import type { Environment } from '../internal/index.js';
import { Deadline } from './deadline.js';
import { readTlsSettings, type ClientTls, type ServerTls, type TlsOptions, type TlsSettings } from './tls-settings.js';
import type { Network, NetworkListener, NetworkTarget } from './types.js';

/** Settings of {@link tcpNetwork}. */
export interface TcpNetworkOptions {
  /** TLS of listeners and connections. Default: the DYN_TCP_TLS_* variables; none of them set is plain TCP. */
  readonly tls?: TlsOptions | undefined;
  /** Variables to read. Default process.env. */
  readonly env?: Environment | undefined;
}

/**
 * Real sockets: TCP without delay, or TLS from the first byte.
 * @throws ERR_OPTION_INVALID, ERR_ENV_INVALID
 */
export function tcpNetwork(options: TcpNetworkOptions = {}): Network {
  const settings = readTlsSettings('tls', options.tls, options.env ?? process.env);
  return {
    connect: (target) => (settings.client === undefined ? connectPlain(target) : connectTls(target, settings.client, settings.handshakeTimeoutMs)),
    listen: (host, port, onConnection) => startListening(makeServer(settings, onConnection), host, port),
  };
}

// Half-open: a peer that has nothing more to send may still want to read (a worker waits for the caller's FIN).
function connectPlain({ host, port }: NetworkTarget): net.Socket {
  return net.connect({ host, port, noDelay: true, keepAlive: true, allowHalfOpen: true });
}

function connectTls(target: NetworkTarget, { context, insecure, serverName }: ClientTls, timeoutMs: number): tls.TLSSocket {
  const options = {
    ...target,
    allowHalfOpen: true, // documented, and missing in @types/node
    rejectUnauthorized: !insecure,
    secureContext: context,
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
  const socket = tls.connect(options);
  socket.setNoDelay(true);
  socket.once('connect', () => {
    const deadline = new Deadline(timeoutMs, () => socket.destroy(handshakeTimeout(timeoutMs)));
    const done = (): void => deadline.clear();
    socket.once('secureConnect', done).once('close', done);
  });
  return socket;
}

function handshakeTimeout(timeoutMs: number): DynamoTracingError {
  return new DynamoTracingError('ERR_CONNECT_TIMEOUT', `no TLS handshake within ${timeoutMs} ms`, { timeoutMs });
}

function makeServer(settings: TlsSettings, onConnection: (socket: Duplex) => void): net.Server {
  if (settings.server !== undefined) return tlsServer(settings.server, settings.handshakeTimeoutMs, onConnection);
  return net.createServer({ noDelay: true, keepAlive: true, allowHalfOpen: true }, onConnection);
}

function tlsServer({ cert, key, ca }: ServerTls, handshakeTimeoutMs: number, onConnection: (socket: Duplex) => void): tls.Server {
  const mutual = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true };
  const server = tls.createServer({ cert, key, ...mutual, handshakeTimeout: handshakeTimeoutMs, noDelay: true, keepAlive: true, allowHalfOpen: true }, onConnection);
  // A failed handshake concerns the peer alone: it sees its connection closed.
  server.on('tlsClientError', (_error, socket) => void socket.destroy());
  return server;
}

/** Workers answer a burst of calls by dialling home all at once; Node's 511 would drop some. The system caps it at its own limit. */
const BACKLOG = 4096;

function startListening(server: net.Server, host: string, port: number): Promise<NetworkListener> {
  return new Promise((resolve, reject) => {
    const handshakes = server instanceof tls.Server ? trackHandshakes(server) : undefined;
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.off('error', reject);
      // E.g. EMFILE while accepting: the listener goes on, the peer sees its connection refused or reset.
      server.on('error', () => undefined);
      resolve(listenerOf(server, handshakes));
    });
  });
}

/** Sockets that still shake hands: nobody was given them, so nobody else could close them. */
function trackHandshakes(server: tls.Server): ReadonlyMap<string, net.Socket> {
  const sockets = new Map<string, net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    const peer = peerOf(socket);
    sockets.set(peer, socket);
    socket.once('close', () => sockets.delete(peer));
  });
  server.on('secureConnection', (socket) => sockets.delete(peerOf(socket)));
  return sockets;
}

function peerOf(socket: net.Socket): string {
  return `${socket.remoteAddress ?? ''} ${socket.remotePort ?? ''}`;
}

function listenerOf(server: net.Server, handshakes: ReadonlyMap<string, net.Socket> | undefined): NetworkListener {
  const bound = server.address() as net.AddressInfo;
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of handshakes?.values() ?? []) socket.destroy();
  });
  return { host: bound.address, port: bound.port, close: () => (closed ??= close()), ref: () => void server.ref(), unref: () => void server.unref() };
}
