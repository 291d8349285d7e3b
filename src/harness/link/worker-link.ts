import type { Duplex } from 'node:stream';
import type { Network, NetworkListener } from '../../transport/index.js';
import type { Fault } from './faults.js';
import { Injections } from './injections.js';
import { FaultTimers } from './lane.js';
import type { LinkedRequest, LinkRequest } from './link-request.js';
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
  readonly timers = new FaultTimers();
  readonly requests: LinkRequest[] = [];
  readonly #sockets = new Set<LinkSocket>();
  readonly #awaited = new Map<string, LinkedRequest>();
  #listening: { readonly host: string; readonly port: number; readonly onConnection: (socket: Duplex) => void; listener: NetworkListener | undefined } | undefined;

  constructor(
    private readonly inner: Network,
    private readonly onRequest: (request: LinkRequest) => void,
  ) {}

  connect(target: Parameters<Network['connect']>[0]): Duplex {
    return this.#link(this.inner.connect(target), (socket, inbound, outbound) => new ResponseStages(this, inbound, outbound, socket));
  }

  async listen(host: string, port: number, onConnection: (socket: Duplex) => void): Promise<NetworkListener> {
    const accept = (socket: Duplex): void => onConnection(this.#link(socket, (link, inbound, outbound) => new RequestStages(this, inbound, outbound, link)));
    const listener = await this.inner.listen(host, port, accept);
    const listening = { host: listener.host, port: listener.port, onConnection: accept, listener: listener as NetworkListener | undefined };
    this.#listening = listening;
    return {
      host: listener.host,
      port: listener.port,
      close: async () => listening.listener?.close(),
      ref: () => listening.listener?.ref?.(),
      unref: () => listening.listener?.unref?.(),
    };
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
    const listener = this.#listening?.listener;
    if (this.#listening !== undefined) this.#listening.listener = undefined;
    await listener?.close();
  }

  /** Listens again, at the same address. */
  async accept(): Promise<void> {
    const listening = this.#listening;
    if (listening === undefined || listening.listener !== undefined) return;
    listening.listener = await this.inner.listen(listening.host, listening.port, listening.onConnection);
  }

  /** Breaks what is open and forgets every timer. */
  destroy(): void {
    this.timers.close();
    for (const socket of this.#sockets) socket.destroy();
    this.injections.clear();
  }

  admit(request: LinkedRequest): readonly Fault[] {
    Object.assign(request, { index: this.requests.length });
    this.requests.push(request);
    request.hitting = this.injections.hitting(request);
    if (request.subject !== undefined && this.#awaited.size < MAX_AWAITED) this.#awaited.set(request.subject, request);
    return request.hitting;
  }

  delivered(request: LinkedRequest): void {
    this.onRequest(request);
  }

  requestOf(subject: string): LinkedRequest | undefined {
    const request = this.#awaited.get(subject);
    this.#awaited.delete(subject);
    return request;
  }

  #link(inner: Duplex, stages: (socket: LinkSocket, inbound: ConstructorParameters<typeof RequestStages>[1], outbound: ConstructorParameters<typeof RequestStages>[2]) => RequestStages | ResponseStages): LinkSocket {
    const link = new LinkSocket(inner, this.timers, ({ inbound, outbound, socket }) => stages(socket, inbound, outbound));
    this.#sockets.add(link);
    link.once('close', () => this.#sockets.delete(link));
    return link;
  }
}
