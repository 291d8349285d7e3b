import { watch, type FSWatcher } from 'node:fs';
import { basename } from 'node:path';

/** Events close together (a temporary file made, linked, removed) ask for one reading. */
const SETTLE_MS = 10;

/**
 * Says when a directory may have changed: soon after entries came or went, and every `everyMs` besides, since expiry is no
 * event and some file systems have none at all. Keeps no process alive.
 */
export class DirectorySignal {
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
    // An event that names the directory itself: it was removed or moved, and this watcher hears nothing any more.
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
