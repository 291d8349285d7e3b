import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { DynamoTracingError } from '../../errors/index.js';
import { RECORD_TARGETS } from '../../logging/index.js';
import type { TcpStreamConnectionInfo } from '../../protocol/index.js';
import { whenAborted } from '../abort.js';
import { Deadline } from '../deadline.js';
import { cancelled, closed, Deferred } from '../endings.js';
import type { CallSettings } from '../settings.js';
import { LazyListener } from '../sockets.js';
import type { ResponseStream } from '../types.js';
import { IncomingCall, type CallTaker, type CallWaiter, type FrameSource } from './incoming-call.js';
import { ResponseReceiver, type ReceiverOptions } from './response-receiver.js';

type OpenStream = Pick<ResponseReceiver<unknown>, 'abort' | 'ended'>;

/**
 * The caller's side of the response plane: one listener, opened at the first call, that workers dial home to. It keeps the
 * process alive only while a response is waited for.
 */
export class ResponsePlane implements CallTaker {
  readonly #listener: LazyListener;
  #closed = false;
  readonly #registrations = new Map<string, Registration<unknown>>();
  readonly #streams = new Set<OpenStream>();
  /** Sockets that workers have dialled, until they are closed. */
  readonly #calls = new Set<IncomingCall>();

  constructor(private readonly settings: CallSettings) {
    const { network, responseHost: host, responsePort: port } = settings;
    this.#listener = new LazyListener(network, { host, port }, 'responses', (socket) => this.#onSocket(socket));
  }

  /** Announces a response. Opens the listener at the first call. @throws ERR_LISTEN_FAILED, ERR_CLIENT_CLOSED */
  async register<T>(requestId: string, signal: AbortSignal | undefined, options: ReceiverOptions, peer: Peer): Promise<Registration<T>> {
    const { host, port } = this.#listener.bound ?? (await this.#listener.open());
    if (this.#closed) throw closed();
    const subject = randomUUID();
    const registration = new Registration<T>({ host, port, subject, context: requestId, streamType: 'response' }, signal, options, peer, this);
    this.#registrations.set(subject, registration as Registration<unknown>);
    if (this.#registrations.size === 1) this.#listener.holdProcess(true);
    return registration;
  }

  /** Fails what is waited for with ERR_CLIENT_CLOSED, kills the streams, closes the listener and every socket. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const registration of [...this.#registrations.values()]) registration.cancel(closed());
    for (const stream of [...this.#streams]) stream.abort(closed());
    for (const call of [...this.#calls]) call.kill();
    // Settles once the sockets are closed: workers that were told to drop their request get a moment to read it.
    await this.#listener.close();
  }

  claim(subject: string, call: IncomingCall): CallWaiter | undefined {
    const registration = this.#registrations.get(subject);
    return registration?.claimedBy(call) === true ? registration : undefined;
  }

  onDropped(reason: string): void {
    this.settings.logger.emit('debug', RECORD_TARGETS.transport, 'a call home was dropped', { reason });
  }

  /** Nobody waits for this call any more. */
  onSettled(subject: string): void {
    this.#registrations.delete(subject);
    if (this.#registrations.size === 0) this.#listener.holdProcess(false);
  }

  onStream(stream: OpenStream): void {
    this.#streams.add(stream);
    void stream.ended.then(() => this.#streams.delete(stream));
  }

  #onSocket(socket: Duplex): void {
    socket.on('error', () => undefined);
    if (this.#closed || this.#calls.size - this.#streams.size >= this.settings.maxCallsHome) return void socket.destroy();
    const call = new IncomingCall(socket, this, this.settings);
    this.#calls.add(call);
    socket.once('close', () => this.#calls.delete(call));
  }
}

/** The address that a request went to. */
export interface Peer {
  /** Whether it has called home since it was connected. */
  readonly calledHome: boolean;
  /** It calls home. */
  onCall(): void;
}

/** A response that is waited for: the worker's call is yet to come, or has come and its prologue has not. */
class Registration<T> implements CallWaiter {
  readonly #opened = new Deferred<ResponseStream<T>>();
  /** The stream, from the prologue on. Rejects with what kept it from opening; a rejection nobody looks at is no fault. */
  readonly opened = this.#opened.promise;
  #settled = false;
  #call: IncomingCall | undefined;
  #stream: ResponseReceiver<T> | undefined;
  #deadline: Deadline | undefined;
  readonly #unlisten: () => void;

  constructor(
    /** Where the worker is to dial: for the control message. */
    readonly connectionInfo: TcpStreamConnectionInfo,
    /** Kills the request, up to the end of its stream. */
    signal: AbortSignal | undefined,
    private readonly options: ReceiverOptions,
    private readonly peer: Peer,
    private readonly plane: ResponsePlane,
  ) {
    this.opened.catch(() => undefined);
    this.#unlisten = whenAborted(signal, () => this.cancel(cancelled(signal)));
  }

  /** Gives the worker so long, in milliseconds, from now to its prologue: ERR_PROLOGUE_TIMEOUT. 0 is for ever. */
  expectWithin(timeoutMs: number): void {
    if (this.#settled || timeoutMs === 0) return;
    this.#deadline = new Deadline(timeoutMs, () => {
      const { calledHome } = this.peer;
      this.cancel(new DynamoTracingError('ERR_PROLOGUE_TIMEOUT', `the worker acknowledged the request and did not begin its answer within ${timeoutMs} ms${calledHome ? '' : '; it has never called home'}`, { timeoutMs, calledHome }));
    });
  }

  /**
   * Gives up the request. A worker that has called is told to drop it, one that calls later is turned away; a stream that
   * has begun is killed, which it may have although the ack never came.
   */
  cancel(error: unknown): void {
    if (this.#stream !== undefined) return this.#stream.abort(error);
    if (!this.#settle()) return;
    this.#call?.kill();
    this.#leave(error);
  }

  /** False when another call was there first. */
  claimedBy(call: IncomingCall): boolean {
    this.#call ??= call;
    this.peer.onCall();
    return this.#call === call;
  }

  onOpened(socket: Duplex, frames: FrameSource): void {
    if (!this.#settle()) return void socket.destroy();
    const stream = new ResponseReceiver<T>(socket, frames, this.connectionInfo.context, this.options);
    this.#stream = stream;
    void stream.ended.then(() => this.#unlisten());
    this.plane.onStream(stream);
    stream.begin();
    this.#opened.resolve(stream);
  }

  onFailed(error: DynamoTracingError): void {
    if (this.#settle()) this.#leave(error);
  }

  #leave(error: unknown): void {
    this.#unlisten();
    this.#opened.reject(error);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#deadline?.clear();
    this.plane.onSettled(this.connectionInfo.subject);
    return true;
  }
}
