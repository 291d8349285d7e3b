import type { Duplex } from 'node:stream';
import { decodeStreamControl, encodeHandshake, encodePrologue, encodeStreamControl, encodeTwoPart, TwoPartDecoder, type DynamoError, type Prologue, type TwoPartFrame } from '../../protocol/index.js';
import { Deadline } from '../deadline.js';
import type { ServerSettings } from '../settings.js';
import { FrameWriter } from '../writers.js';

/** What the caller wants of a request that is being served. */
export interface HomeCallEvents {
  /** It wants no more items. */
  onStop(): void;
  /** It wants nothing any more, or it is gone. */
  onKill(): void;
}

/** A header up to this size is copied behind its lengths: two writes of small pieces cost more. */
const COALESCE_BELOW = 4096;
/**
 * Unsent bytes from which on the next item waits for `drain`. Above Node's own mark of 16 KiB, so that a handler that is
 * faster than the network fills a system call of this size.
 */
const HIGH_WATER = 65_536;
/** Frames from the caller are control words of a few bytes. */
const MAX_CONTROL_SIZE = 1024;
const SENTINEL = encodeTwoPart(encodeStreamControl('sentinel'), undefined, { coalesceBelow: 64 });

/** The worker's side of a response stream on a connection to its caller: says whose answer it is, writes frames, receives stop and kill. */
export class HomeCall {
  /** Settles when the socket is closed, whoever closed it. Never rejects. */
  readonly closed: Promise<void>;
  readonly #writer: FrameWriter;
  readonly #frames = new TwoPartDecoder(MAX_CONTROL_SIZE);
  #state: 'open' | 'finishing' | 'closed' = 'open';
  #stopped = false;
  #finDeadline: Deadline | undefined;
  #onDrain: (() => void) | undefined;

  /** Sends the handshake. */
  constructor(
    private readonly socket: Duplex,
    subject: string,
    private readonly settings: Pick<ServerSettings, 'finTimeoutMs' | 'maxMessageSize'>,
    private readonly events: HomeCallEvents,
  ) {
    this.#writer = new FrameWriter(socket);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#release());
    socket.on('end', () => this.#onEnd());
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => socket.on('close', () => (this.#onClose(), resolve())));
    // Not gathered with what follows: it leaves before the handler runs, so that a caller knows whose worker it is that dies in it.
    for (const chunk of encodeTwoPart(encodeHandshake({ subject, streamType: 'response' }), undefined, { coalesceBelow: COALESCE_BELOW })) socket.write(chunk);
  }

  /** Says that there will be a response, or why there will be none. */
  prologue(prologue: Prologue = {}): void {
    if (this.#state === 'open') this.#writer.write(encodeTwoPart(encodePrologue(prologue), undefined, { coalesceBelow: COALESCE_BELOW }));
  }

  /**
   * Writes a data frame of bytes or text. Gives a promise when the caller is slower than that: wait for it before the next item.
   * @throws ERR_FRAME_TOO_LARGE
   */
  send(data: Uint8Array | string): Promise<void> | undefined {
    if (this.#state !== 'open') return undefined;
    this.#writer.writeData(data, this.settings.maxMessageSize);
    if (this.socket.writableLength < HIGH_WATER || !this.socket.writableNeedDrain) return undefined;
    return new Promise((resolve) => (this.#onDrain = resolve));
  }

  /** Says that there will be no response, and why. */
  refuse(typedError: DynamoError): void {
    this.prologue({ error: `Generate Error: ${typedError.message}`, typedError });
    this.finish();
  }

  /** Nothing follows: sends the sentinel and waits for the caller to close, for a bounded time. */
  finish(): void {
    if (this.#state !== 'open') return this.destroy();
    this.#state = 'finishing';
    this.#writer.write(SENTINEL);
    this.#finDeadline = new Deadline(this.settings.finTimeoutMs, () => this.socket.destroy());
    if (this.socket.readableEnded) this.#writer.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #onData(chunk: Buffer): void {
    this.#frames.push(chunk);
    for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
      const control = frame.kind === 'refused' ? undefined : controlOf(frame);
      if (control === 'stop') this.#onStop();
      // A sentinel, data or anything unreadable from the caller breaks the protocol: Dynamo takes it for a kill too.
      else return this.#onKill();
    }
  }

  #onStop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.events.onStop();
  }

  /** The caller has sent everything. Before our last frame that means it is gone, unless it asked to stop. */
  #onEnd(): void {
    if (this.#state === 'finishing') this.#writer.end();
    else if (!this.#stopped) this.#onKill();
  }

  #onKill(): void {
    if (this.#state === 'closed') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    this.socket.destroy();
    this.#release();
    if (wasOpen) this.events.onKill();
  }

  #onClose(): void {
    this.#finDeadline?.clear();
    this.#onKill();
  }

  #release(): void {
    const resume = this.#onDrain;
    this.#onDrain = undefined;
    resume?.();
  }
}

function controlOf(frame: TwoPartFrame): string | undefined {
  if (frame.kind !== 'header-only') return undefined;
  try {
    return decodeStreamControl(frame.header);
  } catch {
    return undefined;
  }
}
