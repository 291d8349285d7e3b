import type { Duplex } from 'node:stream';
import { DynamoTracingError } from '../../errors/index.js';
import { decodeStreamControl, encodeStreamControl, encodeTwoPart, type PayloadCodec, type TwoPartFrame } from '../../protocol/index.js';
import { Deadline } from '../deadline.js';
import { brokenWorker, cancelled, Deferred, DONE, endOf } from '../endings.js';
import { finish } from '../sockets.js';
import type { ResponseStream, StreamEnd } from '../types.js';
import type { FrameSource } from './incoming-call.js';
import { ItemReader } from './item-reader.js';

/** What a response stream needs to know of its call. */
export interface ReceiverOptions {
  readonly codec: PayloadCodec;
  /** Error items are yielded, not thrown. */
  readonly annotated: boolean;
  /** A `finish_reason` that holds an error is one. */
  readonly engineErrors: boolean;
  /** 0 waits for ever. */
  readonly inactivityTimeoutMs: number;
  /** Hears of frames that cannot be read when they are yielded, not thrown. */
  readonly onBadFrame: (error: DynamoTracingError) => void;
}

/**
 * Received and unread bytes from which on the socket is paused while nobody asks for an item: beyond a few reads' worth
 * (64 KiB each), so that a consumer that keeps up is never paused; the rest waits in the kernel and then at the worker.
 */
const HIGH_WATER = 262_144;
/** How long a worker may take from its final item to the sentinel; without one the response is complete all the same. */
const SENTINEL_WAIT_MS = 1000;

/** A response stream on its call-home socket, from the prologue on. Frames are read when they are asked for. */
export class ResponseReceiver<T> implements ResponseStream<T> {
  readonly #ended = new Deferred<StreamEnd>();
  readonly ended = this.#ended.promise;
  readonly #items: ItemReader;
  #state: 'flowing' | 'failed' | 'over' = 'flowing';
  /** What the next `next` throws, when failed. */
  #failure: unknown;
  #stopped = false;
  /** The worker sends no more: FIN, error or close. */
  #inputOver = false;
  #socketError: unknown;
  readonly #waiters: Deferred<IteratorResult<T, undefined>>[] = [];
  /** An item read ahead of its `next`: behind the last one the end is found, whoever asks for more or not. */
  #ahead: IteratorYieldResult<T> | undefined;
  #deadline: Deadline | undefined;

  constructor(
    private readonly socket: Duplex,
    private readonly frames: FrameSource,
    readonly requestId: string,
    private readonly options: ReceiverOptions,
  ) {
    this.#items = new ItemReader(options.codec, options.annotated, options.engineErrors);
  }

  /** Takes the socket over. What has arrived is read, which may be the end already. */
  begin(): void {
    const { socket, frames } = this;
    socket.on('data', this.#onData);
    socket.on('end', this.#onInputOver).on('close', this.#onInputOver);
    socket.on('error', (error) => (this.#socketError ??= error));
    if (socket.readableEnded || socket.destroyed) this.#inputOver = true;
    if (frames.buffered >= HIGH_WATER) socket.pause();
    this.#readAhead();
  }

  next(): Promise<IteratorResult<T, undefined>> {
    try {
      const result = this.#waiters.length === 0 ? this.#poll() : undefined;
      if (result === undefined) return this.#wait();
      this.#readAhead();
      return Promise.resolve(result);
    } catch (error) {
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what was thrown, as it is
      return Promise.reject(error);
    }
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#kill({ outcome: 'cancelled', signal: 'stream_drop' }, undefined);
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  stop(): void {
    if (this.#stopped || this.#state !== 'flowing') return;
    this.#stopped = true;
    // FIN goes with it: Dynamo's worker sends nothing after a stop and else waits ten seconds for our FIN to close.
    for (const chunk of STOP) this.socket.write(chunk);
    this.socket.end();
  }

  cancel(): void {
    this.abort(cancelled());
  }

  /** Ends the stream with an error: because its signal aborts, the client closes, or the worker is at fault. */
  abort(error: unknown): undefined {
    this.#kill(endOf(error), error);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.frames.push(chunk);
    this.#serve();
    if (this.#waiters.length === 0 && this.#state === 'flowing' && this.frames.buffered >= HIGH_WATER) this.socket.pause();
  };

  readonly #onInputOver = (): void => {
    this.#inputOver = true;
    this.#serve();
  };

  #wait(): Promise<IteratorResult<T, undefined>> {
    if (this.socket.isPaused()) this.socket.resume();
    const waiter = new Deferred<IteratorResult<T, undefined>>();
    this.#waiters.push(waiter);
    this.#startTimer();
    return waiter.promise;
  }

  #serve(): void {
    this.#deadline?.clear();
    this.#readAhead();
    while (this.#waiters.length > 0) {
      let result: IteratorResult<T, undefined> | undefined;
      try {
        result = this.#poll();
      } catch (error) {
        this.#waiters.shift()?.reject(error);
        continue;
      }
      if (result === undefined) return;
      this.#waiters.shift()?.resolve(result); // before anything more is read: that may be a failure, and would go to this waiter
      this.#readAhead();
    }
  }

  /** Reads frames up to the next item or the end. */
  #readAhead(): void {
    while (this.#ahead === undefined && this.#state === 'flowing') {
      const frame = this.frames.next();
      if (frame === undefined && !this.#inputOver) return this.#startTimer();
      if (frame === undefined) this.#onStreamOver();
      else if (frame.kind === 'refused') this.abort(brokenWorker(frame));
      else this.#ahead = frame.kind === 'data-only' ? this.#onItem(frame) : this.#onControl(frame);
    }
  }

  /** The next result as far as it is here; undefined when it is not; throws what the stream fails with, once. */
  #poll(): IteratorResult<T, undefined> | undefined {
    const item = this.#ahead;
    this.#ahead = undefined;
    if (item !== undefined) return item;
    if (this.#state === 'flowing') return undefined;
    if (this.#state === 'over') return DONE;
    this.#state = 'over';
    throw this.#failure;
  }

  #onItem(frame: TwoPartFrame): IteratorYieldResult<T> | undefined {
    const read = this.#items.read(frame.data);
    if (read.kind === 'item') return { done: false, value: read.value as T };
    if (read.kind === 'nothing') return undefined;
    if (!this.options.annotated) return this.abort(read.error);
    if (read.error.code !== 'ERR_WORKER_ERROR') this.options.onBadFrame(read.error);
    return { done: false, value: read.item as T };
  }

  /** The worker may send one control frame: the sentinel, with nothing in it. */
  #onControl(frame: TwoPartFrame): undefined {
    if (frame.kind === 'header-only' && isSentinel(frame.header)) return this.#onStreamOver();
    this.abort(brokenWorker('a control frame that is not the sentinel'));
  }

  /** Sentinel, FIN, or the end of the connection. */
  #onStreamOver(): undefined {
    if (this.#stopped) return this.#end({ outcome: 'cancelled', signal: 'stop' });
    if (this.#items.complete) return this.#end({ outcome: 'complete' });
    this.abort(new DynamoTracingError('ERR_STREAM_INCOMPLETE', 'the response stream ended before the worker said it was complete', { cause: this.#socketError }));
  }

  #kill(end: StreamEnd, error: unknown): void {
    if (this.#state !== 'flowing') return;
    this.#close(end, error === undefined ? 'over' : 'failed', this.#inputOver || this.socket.writableEnded ? undefined : KILL);
    this.#failure = error;
    this.#ahead = undefined;
    this.#serve();
  }

  #end(end: StreamEnd): undefined {
    this.#close(end, 'over', []);
  }

  /** `last`: what the worker is told before FIN; undefined when there is no point. */
  #close(end: StreamEnd, state: 'failed' | 'over', last: readonly Uint8Array[] | undefined): void {
    this.#state = state;
    this.#deadline?.clear();
    this.socket.off('data', this.#onData);
    if (last === undefined) this.socket.destroy();
    else finish(this.socket, last);
    this.#ended.resolve(end);
  }

  #startTimer(): void {
    this.#deadline?.clear();
    const { inactivityTimeoutMs: timeoutMs } = this.options;
    if (this.#items.complete) this.#deadline = new Deadline(SENTINEL_WAIT_MS, this.#onInputOver);
    else if (timeoutMs > 0 && this.#waiters.length > 0) this.#deadline = new Deadline(timeoutMs, () => this.#onInactive(timeoutMs));
  }

  #onInactive(timeoutMs: number): void {
    this.abort(new DynamoTracingError('ERR_RESPONSE_TIMEOUT', `the worker sent nothing for ${timeoutMs} ms`, { timeoutMs }));
  }
}

const STOP = encodeTwoPart(encodeStreamControl('stop'), undefined, { coalesceBelow: 64 });
const KILL = encodeTwoPart(encodeStreamControl('kill'), undefined, { coalesceBelow: 64 });

function isSentinel(header: Uint8Array): boolean {
  try {
    return decodeStreamControl(header) === 'sentinel';
  } catch {
    return false;
  }
}
