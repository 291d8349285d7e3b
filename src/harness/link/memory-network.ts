import { AsyncResource } from 'node:async_hooks';
import { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers';
import type { Network, NetworkListener, NetworkTarget } from '../../transport/index.js';

type Done = (error?: Error | null) => void;

/** One end of a connection in memory: behaves as a net.Socket with `allowHalfOpen` does, ports and kernel left out. */
class MemorySocket extends Duplex {
  /** What comes from the other end happens in the async context that this end was made in, as with a socket of the system. */
  readonly #context = new AsyncResource('MemorySocket');
  #peer: MemorySocket | undefined;
  /** Callback of a write that the peer has no room for. */
  #stalled: Done | undefined;
  /** The connection that was dialled is there, or cannot be made. */
  connected: Done = () => undefined;

  constructor(private readonly dialled: boolean) {
    super({ allowHalfOpen: true });
  }

  /** Joins the end that has dialled to one that accepts: what was written before goes out now. */
  join(peer: MemorySocket): void {
    this.#peer = peer;
    peer.#peer = this;
    this.connected();
  }

  /** Nothing is written or read before the connection is there. */
  override _construct(done: Done): void {
    if (this.dialled) this.connected = done;
    else done();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    const peer = this.#peer;
    if (peer === undefined || peer.destroyed) return done(systemError('EPIPE', 'write'));
    // A copy, as the kernel makes one: the writer may use its buffer again.
    const room = peer.#in(() => peer.push(Buffer.from(chunk)));
    if (room) done();
    else peer.#stalled = (error) => this.#in(() => done(error));
  }

  override _read(): void {
    const done = this.#stalled;
    this.#stalled = undefined;
    done?.();
  }

  override _final(done: Done): void {
    const peer = this.#peer;
    if (peer?.destroyed === false) peer.#in(() => peer.push(null));
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    const peer = this.#peer;
    this._read();
    // The other end was destroyed: the reader sees its end, a write that waits fails.
    if (peer?.destroyed === false && !peer.readableEnded && !this.writableFinished) peer.#in(() => peer.push(null));
    done(error);
  }

  /** Closes as a process that dies does: the other end sees ECONNRESET. */
  resetAndDestroy(): this {
    const peer = this.#peer;
    this.#peer = undefined;
    if (peer?.destroyed === false) setImmediate(() => peer.#in(() => peer.destroy(systemError('ECONNRESET', 'read'))));
    return this.destroy();
  }

  #in<T>(fn: () => T): T {
    return this.#context.runInAsyncScope(fn);
  }
}

/**
 * Connections inside this process: no ports, no kernel. Addresses look like any other and lead nowhere else; two
 * networks do not see each other.
 */
export class MemoryNetwork implements Network {
  /** What accepts runs in the async context of listen(). */
  readonly #listening = new Map<string, { readonly onConnection: (socket: Duplex) => void; readonly context: AsyncResource }>();
  #nextPort = 1;

  connect({ host, port }: NetworkTarget): Duplex {
    const near = new MemorySocket(true);
    setImmediate(() => {
      const found = this.#listening.get(`${host}:${port}`);
      if (near.destroyed) return near.connected();
      if (found === undefined) return near.connected(systemError('ECONNREFUSED', 'connect', `${host}:${port}`));
      const far = found.context.runInAsyncScope(() => new MemorySocket(false));
      near.join(far);
      near.emit('connect');
      found.context.runInAsyncScope(found.onConnection, undefined, far);
    });
    return near;
  }

  listen(host: string, port: number, onConnection: (socket: Duplex) => void): Promise<NetworkListener> {
    const chosen = port === 0 ? this.#freePort(host) : port;
    const key = `${host}:${chosen}`;
    if (this.#listening.has(key)) return Promise.reject(systemError('EADDRINUSE', 'listen', key));
    this.#listening.set(key, { onConnection, context: new AsyncResource('MemoryListener') });
    const close = (): Promise<void> => {
      this.#listening.delete(key);
      return Promise.resolve();
    };
    return Promise.resolve({ host, port: chosen, close });
  }

  #freePort(host: string): number {
    while (this.#listening.has(`${host}:${this.#nextPort}`)) this.#nextPort += 1;
    if (this.#nextPort > 0xffff) throw systemError('EADDRINUSE', 'listen', host);
    return this.#nextPort++;
  }
}

function systemError(code: string, syscall: string, where = ''): Error {
  return Object.assign(new Error(`${syscall} ${code}${where === '' ? '' : ` ${where}`}`), { code, syscall });
}
