import * as net from 'node:net';
import * as tls from 'node:tls';
import type { Duplex } from 'node:stream';
import { DynamoTracingError } from '../errors/index.js';
import { optionalOption, readOptions, type Environment } from '../internal/index.js';
import { Deadline, durationOption } from './deadline.js';
import { readTlsSettings, type TlsOptions, type TlsSettings } from './tls-settings.js';
import type { Network, NetworkListener, NetworkTarget } from './types.js';

/** Settings of {@link tcpNetwork}. */
export interface TcpNetworkOptions {
  /** TLS of listeners and connections. Default: the DYN_TCP_TLS_* variables; none of them set is plain TCP. */
  readonly tls?: TlsOptions | undefined;
  /**
   * Milliseconds of silence after which the system asks a peer whether it is still there, every second; after ten questions without
   * an answer the connection is broken. Whole seconds count. Default 60000: a stream to a host that vanished ends after 70 seconds.
   */
  readonly keepAliveMs?: number | undefined;
  /** Variables to read. Default process.env. */
  readonly env?: Environment | undefined;
}

/** Options of a {@link tcpNetwork} as it uses them. */
interface NetworkSettings {
  readonly tls: TlsSettings;
  readonly keepAliveMs: number;
}

const SPEC = {
  tls: (value: unknown) => value as TlsOptions | undefined, // read with its variables
  keepAliveMs: durationOption(60_000, { min: 1000 }),
  env: optionalOption<Environment>('an object', (value) => typeof value === 'object' && value !== null),
};

/**
 * Real sockets: TCP without delay, or TLS from the first byte. Silent peers are asked whether they are still there.
 * @throws ERR_OPTION_INVALID, ERR_ENV_INVALID
 */
export function tcpNetwork(options: TcpNetworkOptions = {}): Network {
  const { tls: tlsOptions, keepAliveMs, env = process.env } = readOptions('tcpNetwork', SPEC, options);
  const settings: NetworkSettings = { tls: readTlsSettings('tls', tlsOptions, env), keepAliveMs };
  return {
    connect: (target) => (settings.tls.client === undefined ? connectPlain(target, settings) : connectTls(target, settings.tls.client, settings)),
    listen: (host, port, onConnection) => startListening(makeServer(settings, onConnection), host, port),
  };
}

// Half-open: a peer that has nothing more to send may still want to read (a worker waits for the caller's FIN).
function connectPlain({ host, port }: NetworkTarget, { keepAliveMs }: NetworkSettings): net.Socket {
  return net.connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs, allowHalfOpen: true });
}

function connectTls(target: NetworkTarget, { context, insecure, serverName }: NonNullable<TlsSettings['client']>, { tls: { handshakeTimeoutMs: timeoutMs }, keepAliveMs }: NetworkSettings): tls.TLSSocket {
  const options = {
    ...target,
    allowHalfOpen: true, // documented, and missing in @types/node
    rejectUnauthorized: !insecure,
    secureContext: context,
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
  const socket = tls.connect(options);
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs);
  socket.once('connect', () => {
    const deadline = new Deadline(timeoutMs, () => socket.destroy(new DynamoTracingError('ERR_CONNECT_TIMEOUT', `no TLS handshake within ${timeoutMs} ms`, { timeoutMs })));
    const done = (): void => deadline.clear();
    socket.once('secureConnect', done).once('close', done);
  });
  return socket;
}

function makeServer({ tls: { server, handshakeTimeoutMs }, keepAliveMs }: NetworkSettings, onConnection: (socket: Duplex) => void): net.Server {
  const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs, allowHalfOpen: true };
  if (server === undefined) return net.createServer(options, onConnection);
  const { cert, key, ca } = server;
  const mutual = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true };
  const secure = tls.createServer({ ...options, cert, key, ...mutual, handshakeTimeout: handshakeTimeoutMs }, onConnection);
  // A failed handshake concerns the peer alone: it sees its connection closed.
  secure.on('tlsClientError', (_error, socket) => void socket.destroy());
  return secure;
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
