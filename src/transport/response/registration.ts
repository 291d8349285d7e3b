import type { Duplex } from 'node:stream';
import { DynamoTracingError } from '../../errors/index.js';
import type { PayloadCodec, TcpStreamConnectionInfo } from '../../protocol/index.js';
import { Deadline } from '../deadline.js';
import type { FrameSource } from '../frame-source.js';
import type { ResponseStream } from '../types.js';
import type { CallWaiter, IncomingCall } from './incoming-call.js';
import { ItemReader } from './item-reader.js';
import { ResponseReceiver, type ReceiverSettings } from './response-receiver.js';

/** What a response stream will need to know. */
export interface RegistrationOptions {
  readonly codec: PayloadCodec;
  readonly annotated: boolean;
  /** A `finish_reason` that holds an error is one. */
  readonly engineErrors: boolean;
  readonly signal: AbortSignal | undefined;
  /** 0 waits for ever. */
  readonly inactivityTimeoutMs: number;
  readonly onBadFrame: (error: DynamoTracingError) => void;
}

/** What a registration needs of its plane. */
export interface RegistrationOwner {
  release(subject: string): void;
  adopt(stream: ResponseReceiver<unknown>): void;
  disown(stream: ResponseReceiver<unknown>): void;
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

  constructor(
    /** Where the worker is to dial: for the control message. */
    readonly connectionInfo: TcpStreamConnectionInfo,
    private readonly options: RegistrationOptions,
    private readonly owner: RegistrationOwner,
  ) {
    this.opened = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.opened.catch(() => undefined);
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
   * has begun although the ack never came is killed.
   */
  cancel(error: unknown): void {
    if (!this.#settle()) return this.#stream?.abort(error);
    this.#call?.kill();
    this.#reject(error);
  }

  /** False when another call was there first. */
  claimedBy(call: IncomingCall): boolean {
    this.#call ??= call;
    return this.#call === call;
  }

  onOpened(socket: Duplex, frames: FrameSource): void {
    if (!this.#settle()) return void socket.destroy();
    const { codec, annotated, engineErrors, signal, inactivityTimeoutMs, onBadFrame } = this.options;
    const settings: ReceiverSettings = {
      requestId: this.connectionInfo.context,
      items: new ItemReader(codec, annotated, engineErrors),
      annotated,
      signal,
      inactivityTimeoutMs,
      onBadFrame,
      onEnd: () => this.owner.disown(stream),
    };
    const stream = new ResponseReceiver<T>(socket, frames, settings);
    this.#stream = stream;
    this.owner.adopt(stream);
    stream.begin();
    this.#resolve(stream);
  }

  onFailed(error: DynamoTracingError): void {
    if (this.#settle()) this.#reject(error);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#deadline?.clear();
    this.owner.release(this.connectionInfo.subject);
    return true;
  }
}
