import { Duplex } from 'node:stream';
import { Deadline } from './deadline.js';
import type { Network, NetworkTarget } from './types.js';

/** Parts of a net.Socket that links in memory may lack. */
interface SocketExtras {
  readonly encrypted?: boolean;
  ref?(): void;
  unref?(): void;
}

/** Opens a connection. Never throws: what a network throws comes as the connection's `error`, so that there is one way to fail. */
export function openSocket(network: Network, target: NetworkTarget): Duplex {
  try {
    return network.connect(target);
  } catch (cause) {
    return new Duplex().destroy(cause instanceof Error ? cause : new Error('the network threw what is no error', { cause }));
  }
}

/** Calls `connected` once the socket can be used: for TLS after the handshake. */
export function onceConnected(socket: Duplex, connected: () => void): void {
  socket.once((socket as SocketExtras).encrypted === true ? 'secureConnect' : 'connect', connected);
}

/** Whether the socket keeps the process alive. */
export function holdProcess(socket: Duplex, hold: boolean): void {
  const extras = socket as SocketExtras;
  if (hold) extras.ref?.();
  else extras.unref?.();
}

/**
 * Gathers what is written in one turn of the event loop into one system call: 64 frames of 370 bytes cost a fifth that way.
 * The turn ends after all promises that are ready have run, so requests sent from their continuations are gathered too.
 */
export class TurnWriter {
  #inTurn = false;
  readonly #onTurnOver = (): void => this.endTurn();

  constructor(protected readonly socket: Duplex) {}

  /** Writes `chunks` in order; false asks for a pause until `drain`. */
  write(chunks: readonly Uint8Array[]): boolean {
    this.beginTurn();
    let more = true;
    for (const chunk of chunks) more = this.socket.write(chunk);
    return more;
  }

  protected beginTurn(): void {
    if (this.#inTurn) return;
    this.#inTurn = true;
    this.socket.cork();
    process.nextTick(this.#onTurnOver);
  }

  protected endTurn(): void {
    this.#inTurn = false;
    this.socket.uncork();
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
