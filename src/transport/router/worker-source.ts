import type { RouterSettings } from './options.js';
import { workerOfInstance, type RoutedWorker, type WorkerList } from './workers.js';
import type { Instance } from '../discovery/index.js';

/** Who is told about the workers that come and go. */
export interface SourceListener {
  onFound(worker: RoutedWorker): void;
  onGone(worker: RoutedWorker): void;
}

/** The workers of a router: given once, or those that discovery sees now. */
export class WorkerSource {
  #watch: Promise<WorkerList> | undefined;
  /** Workers that discovery has named and not taken back. */
  #present = new Map<string, RoutedWorker>();
  #seen: { readonly instances: readonly Instance[]; readonly workers: readonly RoutedWorker[] } | undefined;

  constructor(
    private readonly workers: RouterSettings['workers'],
    private readonly listener: SourceListener,
  ) {}

  /** What discovery is asked for; undefined for static workers. */
  get endpoint(): string | undefined {
    return 'discovery' in this.workers ? this.workers.endpoint : undefined;
  }

  /** @throws ERR_DISCOVERY */
  async list(): Promise<readonly RoutedWorker[]> {
    if (!('discovery' in this.workers)) return this.workers;
    return this.#take(await this.#watched(this.workers));
  }

  #take({ instances }: WorkerList): readonly RoutedWorker[] {
    // A watch gives the same list until something changes: it is translated once.
    if (this.#seen?.instances === instances) return this.#seen.workers;
    const workers = instances.map(workerOfInstance);
    this.#seen = { instances, workers };
    const before = this.#present;
    this.#present = new Map(workers.map((worker) => [worker.address, worker]));
    for (const worker of workers) if (!before.has(worker.address)) this.listener.onFound(worker);
    for (const [address, worker] of before) if (!this.#present.has(address)) this.listener.onGone(worker);
    return workers;
  }

  async close(): Promise<void> {
    const watch = await this.#watch?.catch(() => undefined);
    watch?.close();
  }

  /** The watch, begun at the first request; one that could not begin is tried again at the next. */
  #watched({ discovery, endpoint }: Extract<RouterSettings['workers'], { endpoint: string }>): Promise<WorkerList> {
    this.#watch ??= discovery.watch(endpoint).then(
      (list) => {
        list.onChange?.(() => this.#take(list));
        return list;
      },
      (error: unknown) => {
        this.#watch = undefined;
        throw error;
      },
    );
    return this.#watch;
  }
}
