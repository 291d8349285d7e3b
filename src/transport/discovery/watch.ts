import { guarded } from '../../internal/index.js';
import type { Instance } from './record.js';

/** What changed in the list of an endpoint's instances. */
export interface InstanceChange {
  /** The list as it is now, by id. */
  readonly instances: readonly Instance[];
  /** New ones, and those whose record changed. */
  readonly added: readonly Instance[];
  /** Those that are gone, and those whose record changed as they were. */
  readonly removed: readonly Instance[];
}

/** Called with each instance that has come, changed or gone. */
export type InstanceListener = (change: InstanceChange) => void;

/**
 * The live list of an endpoint's instances. Iterated, it gives the current list and then the newest one whenever it has
 * changed; lists that the consumer was too slow for are left out. The iteration ends with `close()`.
 */
export class InstanceWatch implements AsyncIterable<readonly Instance[]> {
  readonly #listeners = new Set<InstanceListener>();
  readonly #closeListeners = new Set<() => void>();
  readonly #waiting = new Set<() => void>();
  #closed = false;
  #version = 0;
  #instances: readonly Instance[];

  constructor(
    instances: readonly Instance[],
    private readonly onClose: (watch: InstanceWatch) => void,
  ) {
    this.#instances = instances;
  }

  /** The list as it was last read, by id. */
  get instances(): readonly Instance[] {
    return this.#instances;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Hears every change until the returned function is called. */
  onChange(listener: InstanceListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Hears the end of the watch until the returned function is called. */
  onClosed(listener: () => void): () => void {
    this.#closeListeners.add(listener);
    return () => void this.#closeListeners.delete(listener);
  }

  /** Ends the watch and every iteration of it; the list stays readable. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listeners.clear();
    this.#wake();
    for (const listener of [...this.#closeListeners]) guarded('discovery listener', listener, undefined);
    this.onClose(this);
  }

  /** The list of instances now, and again after each change, until the watch is closed. */
  async * [Symbol.asyncIterator](): AsyncGenerator<readonly Instance[], void, void> {
    let seen = -1;
    while (!this.#closed) {
      if (seen === this.#version) await new Promise<void>((resolve) => this.#waiting.add(resolve));
      else {
        seen = this.#version;
        yield this.#instances;
      }
    }
  }

  /** @internal Takes a newly read list. */
  accept(instances: readonly Instance[]): void {
    const before = new Set(this.#instances);
    const after = new Set(instances);
    const added = instances.filter((instance) => !before.has(instance));
    const removed = this.#instances.filter((instance) => !after.has(instance));
    if (this.#closed || (added.length === 0 && removed.length === 0)) return;
    this.#instances = instances;
    this.#version += 1;
    for (const listener of [...this.#listeners]) guarded('discovery listener', () => listener({ instances, added, removed }), undefined);
    this.#wake();
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
