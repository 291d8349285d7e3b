import { DynamoTracingError, errorFact } from '../../errors/index.js';
import { monotonicMs } from '../../internal/index.js';
import type { Peer } from '../response/response-plane.js';
import type { ClientSettings } from '../settings.js';
import { ReconnectPause, type ConnectGate } from '../sockets.js';
import type { NetworkTarget } from '../types.js';
import { RequestConnection, type ConnectionOwner, type Exchange } from './request-connection.js';

/**
 * Requests in flight from which on a connection gets company. Few enough that one slow read loop does not hold up many
 * requests, enough that requests of one turn share a system call.
 */
const SPREAD_AT = 64;

/**
 * The connections to one host: opened as they are needed, up to a bound, and after a failure not before a pause. Requests for which
 * none has room wait in order.
 */
export class HostPool implements ConnectionOwner, Peer {
  readonly #connections: RequestConnection[] = [];
  #waiting: Exchange[] = [];
  #opening = 0;
  #closed = false;
  #calledHome = false;
  #lastUsed = monotonicMs();
  readonly #pump = (): void => this.#serveWaiting();
  readonly #pause = new ReconnectPause(this.#pump);

  constructor(
    private readonly target: NetworkTarget,
    private readonly settings: ClientSettings,
    private readonly gate: ConnectGate,
  ) {}

  /** Connections, open or being opened. */
  get size(): number {
    return this.#connections.length;
  }

  /** A worker has answered from there since the first of the connections that are open: no other program can have taken its port. */
  get calledHome(): boolean {
    return this.#calledHome;
  }

  onCall(): void {
    this.#calledHome ||= this.#connections.some(({ open }) => open);
  }

  send(exchange: Exchange): void {
    const connection = this.#waiting.length === 0 ? this.#pick() : undefined;
    if (connection !== undefined) return this.#give(connection, exchange);
    if (this.#waiting.length >= this.settings.maxWaiting) this.#dropSettled();
    if (this.#waiting.length >= this.settings.maxWaiting) return exchange.fail(this.#tooMany());
    this.#waiting.push(exchange);
    this.#grow();
  }

  /** Opens a connection ahead of the first request. */
  warm(): void {
    if (this.#connections.length === 0) this.#open();
  }

  /** Closes connections unused for `idleMs`; true when none is left and nothing waits. */
  sweep(idleMs: number): boolean {
    const since = monotonicMs() - idleMs;
    for (const connection of [...this.#connections]) if (connection.open && connection.inFlight === 0 && connection.lastUsed <= since) connection.destroy();
    return this.#waiting.length === 0 && this.#lastUsed <= since && this.#connections.every((connection) => connection.open && connection.inFlight === 0);
  }

  close(error: DynamoTracingError): void {
    this.#closed = true;
    this.#pause.clear();
    for (const exchange of this.#waiting.splice(0)) exchange.fail(error);
    for (const connection of [...this.#connections]) connection.destroy(error);
  }

  onOpen(): void {
    this.#pause.succeeded();
    this.#leaveGate();
    this.#serveWaiting();
  }

  onRoom(): void {
    if (this.#waiting.length > 0) this.#serveWaiting();
  }

  onClosed(connection: RequestConnection, error: DynamoTracingError | undefined): void {
    this.#connections.splice(this.#connections.indexOf(connection), 1);
    if (!this.#connections.some(({ open }) => open)) this.#calledHome = false;
    if (error !== undefined) {
      this.#leaveGate();
      if (!this.#closed) this.#pause.failed();
      // Others are open or still trying: only the last failure decides about those who wait. A lack of local addresses passes.
      if (this.#connections.length === 0 && !lacksLocalAddress(error)) for (const exchange of this.#waiting.splice(0)) exchange.fail(error);
    }
    if (!this.#closed && this.#waiting.length > 0) this.#serveWaiting();
  }

  #give(connection: RequestConnection, exchange: Exchange): void {
    this.#lastUsed = monotonicMs();
    connection.send(exchange);
  }

  /** The first connection with few requests in flight, so that later ones can fall idle; else the least loaded with room. */
  #pick(): RequestConnection | undefined {
    let best: RequestConnection | undefined;
    for (const connection of this.#connections) {
      if (!connection.hasRoom) continue;
      if (connection.inFlight < SPREAD_AT && !connection.stalled) return connection;
      if (best === undefined || connection.inFlight < best.inFlight) best = connection;
    }
    if (best !== undefined) this.#open();
    return best?.stalled === true && this.#opening > 0 ? undefined : best;
  }

  #serveWaiting(): void {
    while (this.#waiting.length > 0) {
      if (this.#waiting[0]?.settled === true) {
        this.#waiting.shift();
        continue;
      }
      const connection = this.#pick();
      if (connection === undefined) return this.#grow();
      const exchange = this.#waiting.shift();
      if (exchange !== undefined) this.#give(connection, exchange);
    }
  }

  /** Opens as many connections as those who wait would fill. */
  #grow(): void {
    while (this.#opening * SPREAD_AT < this.#waiting.length) if (!this.#open()) return;
  }

  #open(): boolean {
    if (this.#closed || this.#pause.on || this.#connections.length >= this.settings.poolSize) return false;
    // While one is being opened for no one in particular, a second would be too.
    if (this.#opening > 0 && this.#opening * SPREAD_AT >= this.#waiting.length) return false;
    if (!this.gate.enter(this.#pump)) return false;
    this.#opening += 1;
    this.#connections.push(new RequestConnection(this.target, this.settings, this));
    return true;
  }

  #leaveGate(): void {
    this.#opening -= 1;
    this.gate.leave();
  }

  #dropSettled(): void {
    this.#waiting = this.#waiting.filter((exchange) => !exchange.settled);
  }

  #tooMany(): DynamoTracingError {
    const limit = this.settings.maxWaiting;
    return new DynamoTracingError('ERR_TOO_MANY_IN_FLIGHT', `${limit} requests wait for a connection to ${this.target.host}:${this.target.port}`, { limit });
  }
}

function lacksLocalAddress(error: DynamoTracingError): boolean {
  return errorFact(error.cause, 'code') === 'EADDRNOTAVAIL';
}
