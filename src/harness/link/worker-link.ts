import type { Duplex } from 'node:stream';
import type { RequestFrame } from '../../protocol/index.js';
import type { Network, NetworkListener } from '../../transport/index.js';
import { Injections } from './injections.js';
import { linkedRequest, type LinkedRequest, type LinkRequest } from './link-request.js';
import { LinkSocket } from './link-socket.js';
import { RequestStages, type LinkOwner } from './request-stage.js';
import { ResponseStages } from './response-stage.js';

/** Requests whose call home is awaited; a worker that never dials leaves its entry behind. */
const MAX_AWAITED = 10_000;

/**
 * Everything between a worker and its callers: a network that puts a link in front of every connection of the worker, over
 * real sockets and in memory alike. Notes every request, plays the faults.
 */
export class WorkerLink implements Network, LinkOwner {
  readonly injections = new Injections({ name: 'a worker link', takes: ({ kind }) => kind !== 'status' });
  readonly requests: LinkRequest[] = [];
  readonly #sockets = new Set<LinkSocket>();
  readonly #awaited = new Map<string, LinkedRequest>();
  #listener: NetworkListener | undefined;
  #listenAgain: (() => Promise<NetworkListener>) | undefined;

  constructor(
    private readonly inner: Network,
    private readonly onRequest: (request: LinkRequest) => void,
  ) {}

  connect(target: Parameters<Network['connect']>[0]): Duplex {
    return this.#link(this.inner.connect(target), ResponseStages);
  }

  async listen(host: string, port: number, onConnection: (socket: Duplex) => void): Promise<NetworkListener> {
    const accept = (socket: Duplex): void => onConnection(this.#link(socket, RequestStages));
    const listener = (this.#listener = await this.inner.listen(host, port, accept));
    this.#listenAgain = () => this.inner.listen(listener.host, listener.port, accept);
    return { host: listener.host, port: listener.port, close: () => this.refuse(), ref: () => this.#listener?.ref?.(), unref: () => this.#listener?.unref?.() };
  }

  /** Connections of the worker that are open. */
  get open(): number {
    return this.#sockets.size;
  }

  /** Refuses new connections and breaks the open ones. */
  crash(): void {
    void this.refuse();
    for (const socket of this.#sockets) socket.reset();
  }

  /** Stops listening: new connections are refused. */
  async refuse(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    await listener?.close();
  }

  /** Listens again, at the same address. */
  async accept(): Promise<void> {
    this.#listener ??= await this.#listenAgain?.();
  }

  /** Breaks what is open and forgets every timer. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.injections.close();
  }

  admit(frame: RequestFrame): LinkedRequest {
    const request = linkedRequest(this.requests.length, frame);
    this.requests.push(request);
    request.hitting = this.injections.hitting(request);
    request.faults = request.hitting.map(({ name }) => name);
    if (request.subject !== undefined && this.#awaited.size < MAX_AWAITED) this.#awaited.set(request.subject, request);
    this.onRequest(request);
    return request;
  }

  requestOf(subject: string): LinkedRequest | undefined {
    const request = this.#awaited.get(subject);
    this.#awaited.delete(subject);
    return request;
  }

  #link(inner: Duplex, Stages: typeof RequestStages | typeof ResponseStages): LinkSocket {
    const link = new LinkSocket(inner, this.injections.after, (lanes) => new Stages(this, lanes));
    this.#sockets.add(link);
    link.once('close', () => this.#sockets.delete(link));
    return link;
  }
}
