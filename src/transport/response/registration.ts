import type { Duplex } from 'node:stream';
import { DynamoTracingError } from '../../errors/index.js';
import type { TcpStreamConnectionInfo } from '../../protocol/index.js';
import { Deadline } from '../deadline.js';
import { cancelled } from '../failures.js';
import type { ResponseStream } from '../types.js';
import type { CallWaiter, FrameSource, IncomingCall } from './incoming-call.js';
import { ResponseReceiver, type ReceiverOptions } from './response-receiver.js';

export interface RegistrationEvents {
  /** Nobody waits for a call any more. */
  onSettled(subject: string): void;
  onStream(stream: ResponseReceiver<unknown>): void;
}

/** A response that is waited for: the worker's call is yet to come, or has come and its prologue has not. */
export class Registration<T> implements CallWaiter {
  /** The stream, from the prologue on. Rejects with what kept it from opening; a rejection nobody looks at is no fault. */
  readonly opened: Promise<ResponseStream<T>>;
  #resolve!: (stream: ResponseStream<T>) => void;
  #reject!: (error: unknown) => void;
  #settled = false;
  #call: IncomingCall | undefined;
  #stream: ResponseReceiver<T> | undefined;
  #deadline: Deadline | undefined;
  readonly #onAbort = (): void => this.cancel(cancelled(this.signal));

  constructor(
    /** Where the worker is to dial: for the control message. */
    readonly connectionInfo: TcpStreamConnectionInfo,
    /** Kills the request, up to the end of its stream. */
    private readonly signal: AbortSignal | undefined,
    private readonly options: ReceiverOptions,
    private readonly events: RegistrationEvents,
  ) {
    this.opened = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.opened.catch(() => undefined);
    signal?.addEventListener('abort', this.#onAbort);
  }

  /** Gives the worker so long, in milliseconds, from now to its prologue: ERR_PROLOGUE_TIMEOUT. 0 is for ever. */
  expectWithin(timeoutMs: number): void {
    if (this.#settled || timeoutMs === 0) return;
    this.#deadline = new Deadline(timeoutMs, () => {
      this.cancel(new DynamoTracingError('ERR_PROLOGUE_TIMEOUT', `the worker acknowledged the request and did not begin its answer within ${timeoutMs} ms`, { timeoutMs }));
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
    return this.#call === call;
  }

  onOpened(socket: Duplex, frames: FrameSource): void {
    if (!this.#settle()) return void socket.destroy();
    const stream = new ResponseReceiver<T>(socket, frames, this.connectionInfo.context, this.options);
    this.#stream = stream;
    void stream.ended.then(() => this.signal?.removeEventListener('abort', this.#onAbort));
    this.events.onStream(stream);
    stream.begin();
    this.#resolve(stream);
  }

  onFailed(error: DynamoTracingError): void {
    if (this.#settle()) this.#leave(error);
  }

  #leave(error: unknown): void {
    this.signal?.removeEventListener('abort', this.#onAbort);
    this.#reject(error);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#deadline?.clear();
    this.events.onSettled(this.connectionInfo.subject);
    return true;
  }
}
