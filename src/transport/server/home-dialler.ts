import type { Duplex } from 'node:stream';
import { DynamoTracingError, errorFact } from '../../errors/index.js';
import { Deadline } from '../deadline.js';
import { cancelled, Deferred } from '../endings.js';
import { ConnectGate, onceConnected, openSocket } from '../sockets.js';
import type { ServerSettings } from '../settings.js';
import type { NetworkTarget } from '../types.js';

/** Dynamo's pause after a lack of local addresses, in milliseconds. */
const RETRY_MS = 200;

/** Opens the connections on which a worker answers. Callers name their addresses, so no host gets more than a bounded number of attempts at one time. */
export class HomeDialler {
  readonly #gates = new Map<string, ConnectGate>();

  constructor(private readonly settings: ServerSettings) {}

  dial({ host, port }: NetworkTarget): Dial {
    const gate = this.#gates.get(host) ?? new ConnectGate(this.settings.callHomeConnectLimit);
    this.#gates.set(host, gate);
    return new Dial({ host, port }, this.settings, gate, () => {
      if (gate.idle && this.#gates.get(host) === gate) this.#gates.delete(host);
    });
  }
}

/** One attempt to reach a caller, its wait for a place included; a lack of local addresses is tried again until the time is up. */
export class Dial {
  readonly #opened = new Deferred<Duplex>();
  #socket: Duplex | undefined;
  #over = false;
  #cancelled = false;
  #retry: NodeJS.Timeout | undefined;
  readonly #deadline: Deadline;
  readonly #start = (): void => this.#open();

  constructor(
    private readonly target: NetworkTarget,
    private readonly settings: ServerSettings,
    private readonly gate: ConnectGate,
    private readonly onOver: () => void,
  ) {
    const { connectTimeoutMs: timeoutMs } = settings;
    this.#deadline = new Deadline(timeoutMs, () => this.#fail(this.#error('ERR_CONNECT_TIMEOUT', `was not reached within ${timeoutMs} ms`, { timeoutMs })));
    this.#open();
  }

  /** The open connection. @throws ERR_CONNECT_FAILED, ERR_CONNECT_TIMEOUT, ERR_CANCELLED */
  async opened(): Promise<Duplex> {
    const socket = await this.#opened.promise;
    // Whoever waited comes a moment later: it may have been cancelled or broken meanwhile, and nobody would be told any more.
    if (this.#cancelled) socket.destroy();
    if (socket.destroyed) throw this.#cancelled ? cancelled() : this.#error('ERR_CONNECT_FAILED', 'broke as it was reached', {});
    return socket;
  }

  cancel(): void {
    this.#cancelled = true;
    this.#fail(cancelled());
  }

  #open(): void {
    if (!this.gate.enter(this.#start)) return;
    const socket = openSocket(this.settings.network, this.target);
    this.#socket = socket;
    let cause: unknown;
    socket.on('error', (error) => (cause ??= error));
    socket.once('close', () => this.#onClosed(cause));
    onceConnected(socket, () => {
      if (this.#end()) this.#opened.resolve(socket);
    });
  }

  #onClosed(cause: unknown): void {
    if (this.#over) return;
    if (errorFact(cause, 'code') !== 'EADDRNOTAVAIL') return this.#fail(this.#error('ERR_CONNECT_FAILED', 'cannot be reached', { cause }));
    this.#leaveGate();
    this.#retry = setTimeout(this.#start, RETRY_MS);
  }

  #fail(error: DynamoTracingError): void {
    if (this.#over) return;
    this.#socket?.destroy(); // before its place goes to the next
    this.#end();
    this.#opened.reject(error);
  }

  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#deadline.clear();
    clearTimeout(this.#retry);
    this.gate.forget(this.#start);
    this.#leaveGate();
    this.onOver();
    return true;
  }

  #leaveGate(): void {
    if (this.#socket !== undefined) this.gate.leave();
    this.#socket = undefined;
  }

  #error(code: 'ERR_CONNECT_FAILED' | 'ERR_CONNECT_TIMEOUT', says: string, facts: Readonly<Record<string, unknown>>): DynamoTracingError {
    const { host, port } = this.target;
    return new DynamoTracingError(code, `the caller's response plane ${host}:${port} ${says}`, facts);
  }
}
