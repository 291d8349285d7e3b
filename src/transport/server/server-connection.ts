import type { Duplex } from 'node:stream';
import { ACK_ACCEPTED, encodeAck, RequestFrameDecoder, tooLargeAck, type RequestFrame } from '../../protocol/index.js';
import { Deadline } from '../deadline.js';
import { finish } from '../sockets.js';

export interface ServerConnectionSettings {
  readonly maxMessageSize: number;
  /** 0 never. */
  readonly idleTimeoutMs: number;
  /** 0 for ever. */
  readonly frameTimeoutMs: number;
}

/** The answer to a frame. */
export interface Admission {
  readonly ack: string;
  /** The connection is closed after it. */
  readonly close?: boolean;
}

/** Reads the request frames of one connection and writes their acks, strictly in order: each is decided before the next is read. */
export class ServerConnection {
  readonly #decoder: RequestFrameDecoder;
  #idle: Deadline | undefined;
  #frame: Deadline | undefined;
  #accepted = 0;
  #over = false;

  constructor(
    private readonly socket: Duplex,
    private readonly admit: (frame: RequestFrame) => Admission,
    private readonly settings: ServerConnectionSettings,
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
      const answer = frame.kind === 'refused' ? { ack: tooLargeAck(frame.size, frame.limit), close: true } : this.admit(frame);
      this.#ack(answer.ack);
      if (answer.close === true) return this.#finish();
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
