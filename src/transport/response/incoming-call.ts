import type { Duplex } from 'node:stream';
import { DynamoTracingError, isDynamoTracingError } from '../../errors/index.js';
import { decodeHandshake, decodePrologue, encodeStreamControl, encodeTwoPart, TwoPartDecoder, type FrameRefusal, type Prologue, type TwoPartFrame } from '../../protocol/index.js';
import { Deadline } from '../deadline.js';
import { brokenWorker } from '../endings.js';
import { finish } from '../sockets.js';

/** The TwoPart frames of a connection, with the count of bytes that were received and not yet read as frames. */
export class FrameSource {
  readonly #decoder: TwoPartDecoder;
  /** Bytes received and not yet given out. */
  buffered = 0;

  constructor(maxMessageSize: number) {
    this.#decoder = new TwoPartDecoder(maxMessageSize);
  }

  push(chunk: Uint8Array): void {
    this.buffered += chunk.length;
    this.#decoder.push(chunk);
  }

  next(): TwoPartFrame | FrameRefusal | undefined {
    const frame = this.#decoder.next();
    if (frame !== undefined && frame.kind !== 'refused') this.buffered -= frame.byteLength;
    return frame;
  }
}

/** Who waits for a worker's call, by subject. */
export interface CallTaker {
  /** The worker may answer now. Undefined when nobody waits for this subject. */
  claim(subject: string, call: IncomingCall): CallWaiter | undefined;
  /** A call that came to nothing before anybody was found for it. */
  onDropped(reason: string): void;
}

export interface CallWaiter {
  /** The worker's answer begins: the socket is the waiter's from here on. */
  onOpened(socket: Duplex, frames: FrameSource): void;
  onFailed(error: DynamoTracingError): void;
}

/** Bytes that are kept of a caller nobody knows yet: a handshake takes a hundred. */
const MAX_HANDSHAKE = 65_536;

/** A socket that a worker has dialled, up to its prologue: first a handshake, then whether there will be a response. */
export class IncomingCall {
  readonly #frames: FrameSource;
  readonly #deadline: Deadline;
  #waiter: CallWaiter | undefined;
  #over = false;

  constructor(
    private readonly socket: Duplex,
    private readonly taker: CallTaker,
    private readonly settings: { readonly handshakeTimeoutMs: number; readonly maxMessageSize: number },
  ) {
    this.#frames = new FrameSource(settings.maxMessageSize);
    this.#deadline = new Deadline(settings.handshakeTimeoutMs, () => this.#refuse('no handshake in time'));
    socket.on('data', this.#onData);
    socket.on('error', this.#onLost).on('end', this.#onLost).on('close', this.#onLost);
  }

  /** Nobody wants the answer any more: the worker is told to drop the request. */
  kill(): void {
    if (this.#over) return;
    this.#leave();
    finish(this.socket, encodeTwoPart(encodeStreamControl('kill')));
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#frames.push(chunk);
    while (!this.#over) {
      const frame = this.#frames.next();
      if (frame === undefined) break;
      if (frame.kind === 'refused') this.#fail(brokenWorker(frame));
      else if (this.#waiter === undefined) this.#onHandshake(frame);
      else this.#onPrologue(frame, this.#waiter);
    }
    if (this.#waiter === undefined && this.#frames.buffered > MAX_HANDSHAKE) this.#refuse('no handshake');
  };

  #onHandshake(frame: TwoPartFrame): void {
    const handshake = attempt(() => decodeHandshake(headerOf(frame, 'handshake')));
    if (isDynamoTracingError(handshake)) return this.#refuse(handshake.message);
    if (handshake.streamType !== 'response') return this.#refuse('a request stream was not offered');
    this.#waiter = this.taker.claim(handshake.subject, this);
    if (this.#waiter === undefined) return this.#onUnwanted();
    this.#deadline.clear();
  }

  /** Its caller gave up before it called. Running workers are not told by a mere close: a handler that waits would wait on. */
  #onUnwanted(): void {
    this.kill();
    this.taker.onDropped('unknown subject');
  }

  #onPrologue(frame: TwoPartFrame, waiter: CallWaiter): void {
    const prologue = attempt(() => decodePrologue(headerOf(frame, 'prologue')));
    if (isDynamoTracingError(prologue)) return this.#fail(brokenWorker(prologue.message));
    if (prologue.error !== undefined) return this.#fail(generateFailed(prologue.error, prologue));
    this.#leave();
    this.socket.off('error', this.#onLost);
    waiter.onOpened(this.socket, this.#frames);
  }

  readonly #onLost = (cause?: unknown): void => {
    this.#fail(new DynamoTracingError('ERR_CONNECTION_CLOSED', 'the worker disconnected before its response stream was established', { cause: cause instanceof Error ? cause : undefined }));
  };

  #fail(error: DynamoTracingError): void {
    if (this.#over) return;
    if (this.#waiter === undefined) return this.#refuse(error.message);
    this.#leave();
    finish(this.socket);
    this.#waiter.onFailed(error);
  }

  #refuse(reason: string): void {
    if (this.#over) return;
    this.#leave();
    this.socket.destroy();
    this.taker.onDropped(reason);
  }

  /** Stops listening, except to errors: somebody always has to. */
  #leave(): void {
    this.#over = true;
    this.#deadline.clear();
    this.socket.off('data', this.#onData).off('end', this.#onLost).off('close', this.#onLost);
  }
}

function headerOf(frame: TwoPartFrame, what: string): Uint8Array {
  if (frame.kind !== 'header-only') throw new DynamoTracingError('ERR_MESSAGE_INVALID', `malformed ${what}: not a header-only frame`);
  return frame.header;
}

function attempt<T>(decode: () => T): T | DynamoTracingError {
  try {
    return decode();
  } catch (error) {
    return isDynamoTracingError(error) ? error : new DynamoTracingError('ERR_MESSAGE_INVALID', String(error), { cause: error });
  }
}

/** Without a typed error the worker's failure counts as one to connect, as in Dynamo: `errorType` is set only when it was sent. */
function generateFailed(text: string, { typedError }: Prologue): DynamoTracingError {
  const facts = typedError === undefined ? {} : { errorType: typedError.errorType, workerError: typedError };
  return new DynamoTracingError('ERR_GENERATE_FAILED', `the worker failed before its response stream began: ${text}`, { prologue: text, ...facts });
}
