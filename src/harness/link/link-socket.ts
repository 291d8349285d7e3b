import { Duplex } from 'node:stream';
import { Lane } from './lane.js';

type Done = (error?: Error | null) => void;

/** What happens to the bytes of one direction: a stage puts them, changed or not, on its lane. */
export interface Stage {
  push(chunk: Buffer): void;
  end(): void;
}

/** What the stages of a connection work with. */
export interface Lanes {
  readonly inbound: Lane;
  readonly outbound: Lane;
  readonly socket: LinkSocket;
}

/** What net.Socket and the sockets in memory are. */
type ResettableSocket = Duplex & { resetAndDestroy?(): unknown };

/** A worker's end of a connection with a link in front of it: every byte in and out passes a stage. */
export class LinkSocket extends Duplex {
  readonly #inner: ResettableSocket;
  readonly #inbound: Lane;
  readonly #outbound: Lane;
  readonly #stages: { readonly inbound: Stage; readonly outbound: Stage };
  #wantsMore = true;

  constructor(inner: Duplex, after: ConstructorParameters<typeof Lane>[2], stages: (lanes: Lanes) => { readonly inbound: Stage; readonly outbound: Stage }) {
    super({ allowHalfOpen: true });
    this.#inner = inner;
    this.#inbound = new Lane('request', { write: (bytes) => { this.#wantsMore = this.push(bytes); }, end: () => void this.push(null), cut: () => this.reset() }, after);
    // What was sent before must arrive: a reset throws away what the peer has not read yet.
    this.#outbound = new Lane('response', { write: (bytes) => { if (!inner.destroyed) inner.write(bytes); }, end: () => void inner.end(), cut: () => void inner.end(() => this.destroy()) }, after);
    this.#stages = stages({ inbound: this.#inbound, outbound: this.#outbound, socket: this });
    inner.on('connect', () => this.emit('connect'));
    inner.on('data', (chunk: Buffer) => this.#onData(chunk));
    inner.on('end', () => this.#stages.inbound.end());
    inner.on('error', (error) => this.destroy(error));
    inner.on('close', () => this.#onInnerClose());
  }

  /** Breaks the connection as a dying process does. */
  reset(): void {
    if (!this.#inner.destroyed) this.#inner.resetAndDestroy?.();
    this.destroy();
  }

  override _read(): void {
    this.#wantsMore = true;
    this.#flow();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#stages.outbound.push(chunk);
    this.#outbound.whenIdle(() => this.#whenInnerDrained(done));
  }

  override _final(done: Done): void {
    this.#stages.outbound.end();
    this.#outbound.whenIdle(() => done());
  }

  override _destroy(error: Error | null, done: Done): void {
    const { closed } = this.#inner;
    if (!this.#inner.destroyed) this.#inner.destroy();
    if (closed) done(error);
    else this.#inner.once('close', () => done(error));
  }

  #onData(chunk: Buffer): void {
    this.#stages.inbound.push(chunk);
    if (this.#wantsMore && this.#inbound.idle) return;
    this.#inner.pause();
    if (!this.#inbound.idle) this.#inbound.whenIdle(() => this.#flow());
  }

  #flow(): void {
    if (this.#wantsMore && this.#inbound.idle && !this.#inner.destroyed) this.#inner.resume();
  }

  #whenInnerDrained(done: Done): void {
    if (this.#inner.destroyed || !this.#inner.writableNeedDrain) return done();
    const go = (): void => {
      this.#inner.off('drain', go).off('close', go);
      done();
    };
    this.#inner.on('drain', go).on('close', go);
  }

  /** After a clean end both halves finish by themselves: what was received may still be unread. */
  #onInnerClose(): void {
    const clean = this.#inner.readableEnded && this.#inner.writableFinished;
    if (!clean) this.destroy();
  }
}
