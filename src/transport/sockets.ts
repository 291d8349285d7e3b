import { Duplex } from 'node:stream';
import { isPromise } from 'node:util/types';
import { DynamoTracingError } from '../errors/index.js';
import { guarded, reportFault } from '../internal/index.js';
import { closed } from './endings.js';
import { Deadline } from './deadline.js';
import type { Network, NetworkListener, NetworkTarget } from './types.js';

/** Parts of a net.Socket that links in memory may lack. */
interface SocketExtras {
  readonly encrypted?: boolean;
  ref?(): void;
  unref?(): void;
}

/** Opens a connection. Never throws: what a network throws, or returns in the place of a connection, comes as the connection's `error`, so that there is one way to fail. */
export function openSocket(network: Network, target: NetworkTarget): Duplex {
  try {
    const socket: unknown = network.connect(target);
    if (hasMethods(socket, ['on', 'once', 'write', 'end', 'cork', 'resume', 'destroy'])) return socket as Duplex;
    if (isPromise(socket)) socket.catch(() => undefined); // nobody waits for it
    throw new TypeError('the network returned no connection');
  } catch (cause) {
    return new Duplex().destroy(cause instanceof Error ? cause : new Error('the network threw what is no error', { cause }));
  }
}

/** A listener that is opened when it is first needed. A failure to open it is tried again at the next need. */
export class LazyListener {
  #opening: Promise<NetworkListener> | undefined;
  #bound: NetworkListener | undefined;
  #closed = false;

  constructor(
    private readonly network: Network,
    private readonly address: NetworkTarget,
    private readonly purpose: 'requests' | 'responses',
    private readonly onConnection: (socket: Duplex) => void,
  ) {}

  /** Undefined until it is open. */
  get bound(): NetworkListener | undefined {
    return this.#bound;
  }

  /** @throws ERR_LISTEN_FAILED, ERR_CLIENT_CLOSED */
  async open(): Promise<NetworkListener> {
    if (this.#closed) throw closed(`this listener for ${this.purpose} is closed`);
    const { host, port } = this.address;
    try {
      this.#opening ??= this.network.listen(host, port, this.onConnection);
      const listener: unknown = await this.#opening;
      if (!hasMethods(listener, ['close'])) throw new TypeError('the network returned no listener');
      return (this.#bound = listener as NetworkListener);
    } catch (cause) {
      this.#opening = undefined;
      throw new DynamoTracingError('ERR_LISTEN_FAILED', `cannot listen for ${this.purpose} on ${host}:${port}`, { host, port, cause });
    }
  }

  /** Settles when it and what it accepted are closed. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    try {
      await (await this.#opening)?.close();
    } catch (error) {
      if (this.#bound !== undefined) reportFault('network listener', error); // else it could not be opened, as its opener was told
    }
  }

  /** Whether the listener keeps the process alive. */
  holdProcess(hold: boolean): void {
    guarded('network listener', () => (hold ? this.#bound?.ref?.() : this.#bound?.unref?.()), undefined);
  }
}

/** Calls `connected` once the socket can be used: for TLS after the handshake. */
export function onceConnected(socket: Duplex, connected: () => void): void {
  socket.once((socket as SocketExtras).encrypted === true ? 'secureConnect' : 'connect', connected);
}

/** Whether the socket keeps the process alive. */
export function holdProcess(socket: Duplex, hold: boolean): void {
  const extras = socket as SocketExtras;
  guarded('network connection', () => (hold ? extras.ref?.() : extras.unref?.()), undefined);
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  return typeof value === 'object' && value !== null && names.every((name) => typeof (value as Record<string, unknown>)[name] === 'function');
}

/** Bounds how many connections are being opened at one time. */
export class ConnectGate {
  #opening = 0;
  readonly #turned = new Set<() => void>();

  constructor(private readonly limit: number) {}

  /** Nothing is being opened and nobody waits. */
  get idle(): boolean {
    return this.#opening === 0 && this.#turned.size === 0;
  }

  /** Takes a place; false when there is none, `retry` is then called once there may be one. */
  enter(retry: () => void): boolean {
    if (this.#opening >= this.limit) {
      this.#turned.add(retry);
      return false;
    }
    this.#opening += 1;
    return true;
  }

  /** No longer wants the place that it was to be called for. */
  forget(retry: () => void): void {
    this.#turned.delete(retry);
  }

  leave(): void {
    this.#opening -= 1;
    for (const retry of this.#turned) {
      if (this.#opening >= this.limit) return;
      this.#turned.delete(retry);
      retry();
    }
  }
}

const FIRST_MS = 20;
const LONGEST_MS = 1000;

/**
 * The pause after a failure to connect to a host: twice as long each time, up to a second. Up to a half of it is left out at random, so
 * that callers which lost one worker together do not come back together. Keeps no process alive: who waits has a timer of its own.
 */
export class ReconnectPause {
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly onOver: () => void) {}

  /** Whether nothing may be opened now. */
  get on(): boolean {
    return this.#timer !== undefined;
  }

  failed(): void {
    if (this.#timer !== undefined) return;
    const longest = Math.min(FIRST_MS * 2 ** this.#failures, LONGEST_MS);
    this.#failures += 1;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.onOver();
    }, longest * (1 - Math.random() / 2)).unref();
  }

  succeeded(): void {
    this.#failures = 0;
    this.clear();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

const NOTHING = (): void => undefined;

/** How long a peer may take to close after our FIN, in milliseconds. */
export const CLOSE_WAIT_MS = 1000;

/** Sends a last message and FIN, reads on to nowhere until the peer has closed too, and destroys what is left after a second. */
export function finish(socket: Duplex, last: readonly Uint8Array[] = []): void {
  if (socket.destroyed) return;
  const deadline = new Deadline(CLOSE_WAIT_MS, () => socket.destroy()).unref();
  socket.once('close', () => deadline.clear());
  for (const chunk of last) socket.write(chunk);
  socket.end();
  socket.removeAllListeners('data').on('data', NOTHING).resume();
}
