import type { RouterSettings } from './options.js';
import { workerOfInstance, type RoutedWorker, type WorkerList } from './workers.js';
import type { Instance } from '../discovery/index.js';

/** The workers of a router: given once, or those that discovery sees now. */
export class WorkerSource {
  #watch: Promise<WorkerList> | undefined;
  #seen: { readonly instances: readonly Instance[]; readonly workers: readonly RoutedWorker[] } | undefined;

  constructor(private readonly workers: RouterSettings['workers']) {}

  /** What discovery is asked for; undefined for static workers. */
  get endpoint(): string | undefined {
    return 'discovery' in this.workers ? this.workers.endpoint : undefined;
  }

  /** @throws ERR_DISCOVERY */
  async list(): Promise<readonly RoutedWorker[]> {
    if (!('discovery' in this.workers)) return this.workers;
    const { instances } = await this.#watched(this.workers);
    // A watch gives the same list until something changes: it is translated once.
    if (this.#seen?.instances !== instances) this.#seen = { instances, workers: instances.map(workerOfInstance) };
    return this.#seen.workers;
  }

  async close(): Promise<void> {
    const watch = await this.#watch?.catch(() => undefined);
    watch?.close();
  }

  /** The watch, begun at the first request; one that could not begin is tried again at the next. */
  #watched({ discovery, endpoint }: Extract<RouterSettings['workers'], { endpoint: string }>): Promise<WorkerList> {
    this.#watch ??= discovery.watch(endpoint).catch((error: unknown) => {
      this.#watch = undefined;
      throw error;
    });
    return this.#watch;
  }
}
