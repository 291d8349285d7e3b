import { DynamoTracingError } from '../../../errors/index.js';
import { monotonicMs } from '../../../internal/index.js';
import { ReconnectPause } from '../../sockets.js';
import { InstanceWatch } from '../watch.js';
import type { EtcdClient } from './client.js';
import type { EtcdInstances } from './instances.js';
import { rangeOf } from './keys.js';

/** What {@link WatchedEndpoint} needs of its owner. */
export interface WatchOwner {
  readonly client: EtcdClient;
  readonly rescanMs: number;
  /** Told when etcd cannot be watched, once until it can be again. */
  onUnwatched(path: string, error: unknown): void;
  /** Nobody watches the endpoint any more. */
  onEnd(): void;
}

/** A watch of etcd that lasts so long is a good one: the next pause is a short one again. */
const GOOD_AFTER_MS = 1000;

/**
 * Everyone who watches one endpoint, over one watch of etcd. Whatever ends that watch (a torn connection, another member, compaction, a
 * cluster that was set up anew and counts its revisions from the beginning), the list is read again and watched from there. It is also read
 * from time to time: a member that hangs with its connections open ends nothing. A list that says more than the watch has told ends it.
 */
export class WatchedEndpoint {
  readonly #watches = new Set<InstanceWatch>();
  readonly #pause = new ReconnectPause(() => void this.#follow(true));
  readonly #rescan: NodeJS.Timeout;
  /** Of the watch that is on. */
  #stop = new AbortController();
  #ended = false;
  #complained = false;

  /** @param instances Read already. */
  constructor(
    private readonly instances: EtcdInstances,
    private readonly owner: WatchOwner,
  ) {
    this.#rescan = setInterval(() => void this.#check(), owner.rescanMs).unref();
    void this.#follow(false);
  }

  get ended(): boolean {
    return this.#ended;
  }

  add(): InstanceWatch {
    const watch = new InstanceWatch(this.instances.list, (closed) => this.#remove(closed));
    this.#watches.add(watch);
    return watch;
  }

  /** Brings every watch up to date. @throws ERR_DISCOVERY */
  async refresh(): Promise<void> {
    if (await this.instances.read()) this.#tell();
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stop.abort();
    clearInterval(this.#rescan);
    this.#pause.clear();
    this.owner.onEnd();
    for (const watch of [...this.#watches]) watch.close();
  }

  #remove(watch: InstanceWatch): void {
    this.#watches.delete(watch);
    if (this.#watches.size === 0) this.close();
  }

  #tell(): void {
    const { list } = this.instances;
    for (const watch of [...this.#watches]) watch.accept(list);
  }

  async #check(): Promise<void> {
    try {
      if (!await this.instances.read({ background: true })) return;
      this.#tell();
      this.#stop.abort();
    } catch {
      // The lists stay as they are; the watch tells that etcd is away.
    }
  }

  async #follow(anew: boolean): Promise<void> {
    try {
      if (anew && await this.instances.read({ anew, background: true })) this.#tell();
      if (!this.#ended) await this.#watch();
    } catch (error) {
      if (!this.#ended && !this.#complained) this.owner.onUnwatched(this.instances.prefix, error);
      this.#complained = true;
    }
    if (!this.#ended) this.#pause.failed();
  }

  /** Until etcd ends it. */
  async #watch(): Promise<void> {
    const create = { ...rangeOf(this.instances.prefix), start_revision: String(this.instances.revision + 1n) };
    const began = monotonicMs();
    const { signal } = this.#stop = new AbortController();
    try {
      for await (const message of await this.owner.client.stream('watch', { create_request: create }, signal)) {
        if (message['canceled'] === true) return endOf(message);
        if (message['events'] === undefined) continue;
        this.#good();
        this.instances.take(message);
        this.#tell();
      }
    } finally {
      if (monotonicMs() - began > GOOD_AFTER_MS) this.#good();
    }
  }

  #good(): void {
    this.#pause.succeeded();
    this.#complained = false;
  }
}

/** Changes that are compacted away cannot be told: the list is read again. Other reasons are etcd's. */
function endOf({ compact_revision: compacted, cancel_reason: reason }: Readonly<Record<string, unknown>>): void {
  if (compacted === undefined) throw new DynamoTracingError('ERR_DISCOVERY', `etcd has ended the watch: ${typeof reason === 'string' ? reason.slice(0, 200) : 'it does not say why'}`);
}
