import type { Duplex } from 'node:stream';
import { ACK_ACCEPTED, ACK_POOL_CLOSED, encodeAck, RequestFrameDecoder, tooLargeAck, type RequestFrame } from '../../protocol/index.js';
import { Deadline } from '../deadline.js';
import type { ServerSettings } from '../settings.js';
import { finish } from '../sockets.js';

/** Reads the request frames of one connection and writes their acks, strictly in order: each is decided before the next is read. */
export class ServerConnection {
  readonly #decoder: RequestFrameDecoder;
  #idle: Deadline | undefined;
  #frame: Deadline | undefined;
  #accepted = 0;
  #over = false;

  constructor(
    private readonly socket: Duplex,
    /** The ack of a frame. */
    private readonly admit: (frame: RequestFrame) => string,
    private readonly settings: Pick<ServerSettings, 'maxMessageSize' | 'idleTimeoutMs' | 'frameTimeoutMs'>,
  ) {
    this.#decoder = new RequestFrameDecoder(settings.maxMessageSize);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => void socket.resume());
    socket.on('end', () => this.#onEnd());
    socket.on('close', () => this.#onClose());
    if (settings.idleTimeoutMs > 0) this.#idle = new Deadline(settings.idleTimeoutMs, () => this.#finish()).unref();
  }

  /** Closes at once; the peer's unanswered requests fail. */
  destroy(): void {
    this.socket.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#over) return;
    this.#idle?.refresh();
    this.#decoder.push(chunk);
    for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
      this.#stopFrameTimer();
      const ack = frame.kind === 'refused' ? tooLargeAck(frame.size, frame.limit) : this.admit(frame);
      this.#ack(ack);
      if (frame.kind === 'refused' || ack === ACK_POOL_CLOSED) return this.#finish();
    }
    this.#flush();
    if (this.#decoder.midFrame) this.#startFrameTimer();
  }

  /** Acks of accepted requests are four zero bytes each: those of one chunk are written as one buffer. */
  #ack(text: string): void {
    if (text === ACK_ACCEPTED) {
      this.#accepted += 1;
      return;
    }
    this.#flush();
    this.#write(encodeAck(text));
  }

  #flush(): void {
    if (this.#accepted === 0) return;
    const acks = Buffer.alloc(4 * this.#accepted);
    this.#accepted = 0;
    this.#write(acks);
  }

  /** A client that does not read its acks is not read either. */
  #write(ack: Buffer): void {
    if (!this.socket.write(ack)) this.socket.pause();
  }

  /** The client sends no more. A frame that is cut short gets no answer; what was answered is still written. */
  #onEnd(): void {
    if (!this.#over) this.#finish();
  }

  #finish(): void {
    this.#flush();
    this.#over = true;
    // Reads on to nowhere for a moment: closing on a sender at once would reset the connection, and the last ack with it.
    finish(this.socket);
  }

  #startFrameTimer(): void {
    if (this.settings.frameTimeoutMs > 0) this.#frame ??= new Deadline(this.settings.frameTimeoutMs, () => this.socket.destroy()).unref();
  }

  #stopFrameTimer(): void {
    this.#frame?.clear();
    this.#frame = undefined;
  }

  #onClose(): void {
    this.#over = true;
    this.#idle?.clear();
    this.#stopFrameTimer();
  }
}
