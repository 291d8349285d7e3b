import { watch, type FSWatcher } from 'node:fs';
import { basename } from 'node:path';
import { errorFact } from '../../../errors/index.js';
import { endpointText, type Instance } from '../record.js';
import { InstanceWatch } from '../watch.js';

/** Events close together (a temporary file made, linked, removed) ask for one reading. */
const SETTLE_MS = 10;

/**
 * Says when a directory may have changed: soon after entries came or went, and every `everyMs` besides, since expiry is no
 * event and some file systems have none at all. Keeps no process alive.
 */
class DirectorySignal {
  readonly #interval: NodeJS.Timeout;
  #watcher: FSWatcher | undefined;
  #settling: NodeJS.Timeout | undefined;

  constructor(
    private readonly directory: string,
    everyMs: number,
    private readonly changed: () => void,
  ) {
    this.#watch();
    this.#interval = setInterval(() => {
      this.#watch();
      this.changed();
    }, everyMs).unref();
  }

  close(): void {
    clearInterval(this.#interval);
    clearTimeout(this.#settling);
    this.#unwatch();
  }

  /** Watches, or goes without: the directory may not be there yet, or the system's watches may be used up. */
  #watch(): void {
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(this.directory, { persistent: false }, (kind, name) => this.#onEvent(kind, name));
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      this.#watcher = undefined;
    }
  }

  /** `change` is a keep-alive as a rule, hundreds a second where there are many workers: the interval sees what it changed. */
  #onEvent(kind: string, name: string | null): void {
    if (kind !== 'rename') return;
    // An event that names the directory itself: it was removed or moved, and this watcher receives nothing any more.
    if (name === basename(this.directory)) this.#unwatch();
    this.#settling ??= setTimeout(() => {
      this.#settling = undefined;
      this.changed();
    }, SETTLE_MS).unref();
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}

/** What {@link WatchedEndpoints} needs of its owner. */
export interface WatchedStore {
  readonly directory: string;
  readonly rescanMs: number;
  list(wanted: ReadonlySet<string>): Promise<readonly Instance[]>;
  /** Told about a store that cannot be read, once until it can be read again. */
  complain(reason: string): void;
}

/** Every watch of one discovery object. They share one directory watcher, and each reading serves them all. */
export class WatchedEndpoints {
  readonly #watches = new Map<string, Set<InstanceWatch>>();
  #signal: DirectorySignal | undefined;
  /** The reading under way; `#again` asks for one more after it. */
  #reading: Promise<void> | undefined;
  #again = false;
  #unreadable = false;

  constructor(private readonly store: WatchedStore) {}

  add(name: string, first: readonly Instance[]): InstanceWatch {
    // Who has waited for an instance finds it in every other watch too, a router's for example.
    for (const other of this.#watches.get(name) ?? []) other.accept(first);
    const watch = new InstanceWatch(first, (closed) => this.#remove(name, closed));
    this.#watches.set(name, (this.#watches.get(name) ?? new Set()).add(watch));
    this.#signal ??= new DirectorySignal(this.store.directory, this.store.rescanMs, () => void this.#refresh());
    // What changed between the first reading and the first event is found by this one.
    void this.#refresh();
    return watch;
  }

  async close(): Promise<void> {
    for (const watches of [...this.#watches.values()]) for (const watch of [...watches]) watch.close();
    await this.#reading;
  }

  #remove(name: string, watch: InstanceWatch): void {
    const watches = this.#watches.get(name);
    watches?.delete(watch);
    if (watches?.size === 0) this.#watches.delete(name);
    if (this.#watches.size > 0) return;
    this.#signal?.close();
    this.#signal = undefined;
  }

  /** One reading at a time; changes during one lead to one more. */
  async #refresh(): Promise<void> {
    this.#again = true;
    this.#reading ??= this.#readWhileAsked();
    await this.#reading;
  }

  async #readWhileAsked(): Promise<void> {
    while (this.#again && this.#watches.size > 0) {
      this.#again = false;
      await this.#readOnce();
    }
    this.#reading = undefined;
  }

  /** A store that cannot be read leaves the lists as they are: workers outlive a moment's trouble with the disk. */
  async #readOnce(): Promise<void> {
    try {
      const found = await this.store.list(new Set(this.#watches.keys()));
      this.#unreadable = false;
      for (const [name, watches] of [...this.#watches]) {
        const instances = found.filter((instance) => endpointText(instance) === name);
        for (const watch of [...watches]) watch.accept(instances);
      }
    } catch (error) {
      if (!this.#unreadable) this.store.complain(String(errorFact(error, 'message')));
      this.#unreadable = true;
    }
  }
}
