import type { RoutedWorker } from './workers.js';

/** How a router chooses among the workers of an endpoint. */
export const ROUTER_MODES = ['round_robin', 'random', 'direct'] as const;
/** One of `round_robin`, `random` and `direct`. */
export type RouterMode = (typeof ROUTER_MODES)[number];

/** What `router_mode` of a span says: Dynamo's names. */
export const MODE_NAMES: Readonly<Record<RouterMode, string>> = { round_robin: 'RoundRobin', random: 'Random', direct: 'Direct' };

/** Chooses workers, and leaves those alone for a while that have failed. */
export class Selection {
  #turn = 0;
  readonly #inhibitedUntil = new Map<string, number>();

  constructor(
    private readonly inhibitedMs: number,
    private readonly now: () => number,
  ) {}

  /** Workers that are remembered as left alone. */
  get inhibited(): number {
    return this.#inhibitedUntil.size;
  }

  /** Leaves a worker alone from now on, for `inhibitedMs`. */
  inhibit(worker: RoutedWorker): void {
    if (this.inhibitedMs === 0) return;
    const now = this.now();
    // Those whose time is up come first. Many of them never come back: nobody would ask for their addresses again.
    for (const [address, until] of this.#inhibitedUntil) {
      if (until > now) break;
      this.#inhibitedUntil.delete(address);
    }
    this.#inhibitedUntil.delete(worker.address);
    this.#inhibitedUntil.set(worker.address, now + this.inhibitedMs);
  }

  /** Leaves a worker alone no longer: it has answered, or it is gone. */
  release({ address }: RoutedWorker): void {
    this.#inhibitedUntil.delete(address);
  }

  /**
   * One of `workers`, if there is any. Inhibited ones are taken when there are no others: a worker that failed a moment ago
   * is a better answer than none.
   */
  choose(mode: 'round_robin' | 'random', workers: readonly RoutedWorker[]): RoutedWorker | undefined {
    const well = this.#inhibitedUntil.size === 0 ? workers : workers.filter((worker) => !this.#isInhibited(worker));
    const candidates = well.length > 0 ? well : workers;
    if (candidates.length === 0) return undefined;
    const index = mode === 'random' ? Math.floor(Math.random() * candidates.length) : this.#turn++ % candidates.length;
    return candidates[index];
  }

  #isInhibited(worker: RoutedWorker): boolean {
    const until = this.#inhibitedUntil.get(worker.address);
    if (until === undefined) return false;
    if (until > this.now()) return true;
    this.#inhibitedUntil.delete(worker.address);
    return false;
  }
}
