import type { Duplex } from 'node:stream';
import { DynamoTracingError, isDynamoTracingError, type ErrorCode } from '../../errors/index.js';
import { monotonicMs } from '../../internal/index.js';
import { AckDecoder, type Ack } from '../../protocol/index.js';
import { whenAborted } from '../abort.js';
import { Deadline } from '../deadline.js';
import { ackError, brokenWorker, cancelled, Deferred } from '../endings.js';
import type { ClientSettings } from '../settings.js';
import { holdProcess, onceConnected, openSocket } from '../sockets.js';
import type { NetworkTarget } from '../types.js';
import { TurnWriter } from '../writers.js';

/**
 * One request on its way to its acknowledgement. It settles once: by its ack, by its timeout, by its caller's signal or with
 * its connection. A written request that has settled early keeps its place among the acks.
 */
export class Exchange {
  readonly acknowledged = new Deferred<undefined>();
  settled = false;
  #chunks: readonly Uint8Array[] | undefined;
  readonly #unlisten: () => void;
  readonly #deadline: Deadline;

  /** @throws ERR_OPTION_INVALID for a signal that cannot be listened to */
  constructor(
    readonly address: string,
    chunks: readonly Uint8Array[],
    private readonly timeoutMs: number,
    signal: AbortSignal | undefined,
  ) {
    this.#chunks = chunks;
    this.#unlisten = whenAborted(signal, () => this.fail(cancelled(signal))); // first: it may throw, and nobody would clear the timer
    this.#deadline = new Deadline(timeoutMs, () => this.#timeOut());
  }

  /** The bytes to write, given out once and let go: the request may wait for its ack long after they have left. */
  takeChunks(): readonly Uint8Array[] {
    const chunks = this.#chunks ?? [];
    this.#chunks = undefined;
    return chunks;
  }

  acked(ack: Ack): void {
    if (ack.kind !== 'accepted') this.fail(ackError(ack, this.address));
    else if (this.#settle()) this.acknowledged.resolve(undefined);
  }

  fail(error: unknown): void {
    if (this.#settle()) this.acknowledged.reject(error);
  }

  #timeOut(): void {
    const { address, timeoutMs } = this;
    const written = this.#chunks === undefined;
    const message = written ? `${address} did not acknowledge the request within ${timeoutMs} ms` : `no connection to ${address} had room within ${timeoutMs} ms`;
    this.fail(new DynamoTracingError(written ? 'ERR_ACK_TIMEOUT' : 'ERR_CONNECT_TIMEOUT', message, { address, timeoutMs }));
  }

  #settle(): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.#chunks = undefined;
    this.#deadline.clear();
    this.#unlisten();
    return true;
  }
}

/** What a connection tells its pool. */
export interface ConnectionOwner {
  /** The connection can be used. */
  onOpen(connection: RequestConnection): void;
  /** There may be room for another request. */
  onRoom(): void;
  /** It is gone. `error` is why, and is set when it never opened. */
  onClosed(connection: RequestConnection, error: DynamoTracingError | undefined): void;
}

/**
 * One connection to a worker. Requests are pipelined; the protocol has no request numbers, so acks belong to requests in
 * the order they were written. A request that timed out or was aborted keeps its place until its ack has come.
 */
export class RequestConnection {
  readonly #socket: Duplex;
  readonly #writer: TurnWriter;
  readonly #acks: AckDecoder;
  readonly #unacked: Exchange[] = [];
  readonly #connectDeadline: Deadline;
  #state: 'connecting' | 'open' | 'closed' = 'connecting';
  #failure: DynamoTracingError | undefined;
  /** Monotonic milliseconds of the last request or ack. */
  lastUsed = monotonicMs();

  constructor(
    private readonly target: NetworkTarget,
    private readonly settings: ClientSettings,
    private readonly owner: ConnectionOwner,
  ) {
    this.#socket = openSocket(settings.network, target);
    this.#writer = new TurnWriter(this.#socket);
    this.#acks = new AckDecoder(settings.maxMessageSize);
    this.#connectDeadline = new Deadline(settings.connectTimeoutMs, () => this.destroy(this.#error('ERR_CONNECT_TIMEOUT', `was not open within ${settings.connectTimeoutMs} ms`, { timeoutMs: settings.connectTimeoutMs })));
    onceConnected(this.#socket, () => this.#onConnect());
    this.#socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    this.#socket.on('drain', () => owner.onRoom());
    this.#socket.on('end', () => this.#socket.destroy());
    this.#socket.on('error', (error) => this.#onError(error));
    this.#socket.on('close', () => this.#onClose());
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  /** Requests written and not acknowledged. */
  get inFlight(): number {
    return this.#unacked.length;
  }

  /** Whether another request may be written now: the bound is not reached, the socket takes more and the worker still acks. */
  get hasRoom(): boolean {
    const socket = this.#socket;
    return this.#state === 'open' && this.#unacked.length < this.settings.channelBuffer && socket.writable && !socket.writableNeedDrain && !socket.readableEnded;
  }

  /** Its oldest request was given up before its ack came: other connections are better. */
  get stalled(): boolean {
    return this.#unacked[0]?.settled === true;
  }

  send(exchange: Exchange): void {
    if (this.#unacked.length === 0) holdProcess(this.#socket, true);
    this.#unacked.push(exchange);
    this.#writer.write(exchange.takeChunks());
  }

  /** Closes at once; requests in flight fail with `error`. */
  destroy(error?: DynamoTracingError): void {
    this.#failure ??= error;
    this.#socket.destroy();
  }

  #onConnect(): void {
    this.#connectDeadline.clear();
    this.#state = 'open';
    this.owner.onOpen(this);
    if (this.#unacked.length === 0) holdProcess(this.#socket, false);
  }

  #onData(chunk: Buffer): void {
    const before = this.#unacked.length;
    this.#acks.push(chunk);
    for (let ack = this.#acks.next(); ack !== undefined; ack = this.#acks.next()) {
      const exchange = this.#unacked.shift();
      if (exchange === undefined) return this.destroy(brokenWorker('an ack for no request', this.target));
      if (ack.kind === 'refused') return this.#onRefused(exchange, brokenWorker(ack, this.target));
      exchange.acked(ack);
    }
    if (this.#unacked.length === before) return;
    this.lastUsed = monotonicMs();
    if (this.#unacked.length === 0) holdProcess(this.#socket, false);
    this.owner.onRoom();
  }

  /** What follows an ack over its limit cannot be read: the requests behind it have lost theirs. */
  #onRefused(exchange: Exchange, error: DynamoTracingError): void {
    exchange.fail(error);
    this.destroy(error);
  }

  #onError(cause: unknown): void {
    if (isDynamoTracingError(cause)) this.#failure ??= cause;
    this.#failure ??= this.#state === 'connecting'
      ? this.#error('ERR_CONNECT_FAILED', `could not be opened: ${reasonOf(cause)}`, { cause })
      : this.#error('ERR_CONNECTION_CLOSED', `broke: ${reasonOf(cause)}`, { cause });
  }

  #onClose(): void {
    this.#connectDeadline.clear();
    const opened = this.#state === 'open';
    this.#state = 'closed';
    const error = this.#failure ?? this.#error(opened ? 'ERR_CONNECTION_CLOSED' : 'ERR_CONNECT_FAILED', 'was closed by the worker');
    for (const exchange of this.#unacked.splice(0)) exchange.fail(error);
    this.owner.onClosed(this, opened ? undefined : error);
  }

  #error(code: ErrorCode, says: string, facts: object = {}): DynamoTracingError {
    const { host, port } = this.target;
    return new DynamoTracingError(code, `the connection to ${host}:${port} ${says}`, { host, port, ...facts });
  }
}

/** Node's AggregateError (several addresses tried) has an empty message. */
function reasonOf(cause: unknown): string {
  const { message, code } = cause as { message?: string; code?: string };
  return message !== undefined && message !== '' ? message : (code ?? 'unknown reason');
}
