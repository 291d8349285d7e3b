// What a test clock does not replace: closing must come to an end whatever a test has faked.
import { performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { OpenHandles } from './open-handles.js';
import type { HarnessWorker } from './worker/index.js';

/** Something that can be closed: `close()` may give a promise. An HTTP server is closed with its connections. */
export interface Closable {
  close(done?: () => void): unknown;
  closeAllConnections?(): void;
  /** Longest time that it may take, in milliseconds. Default: the harness's `closeTimeoutMs`. */
  readonly closeTimeoutMs?: number | undefined;
}

/** Closes what a harness opened and names what would not close. */
export class Leaks {
  readonly #owned: { readonly name: string; readonly closable: Closable }[] = [];

  readonly #handles: OpenHandles | undefined;

  constructor(
    scope: 'own' | 'process',
    private readonly timeoutMs: number,
  ) {
    this.#handles = scope === 'process' ? new OpenHandles().start() : undefined;
  }

  own(name: string, closable: Closable): void {
    this.#owned.push({ name, closable });
  }

  /** Closes everything, the last opened first; gives the names of what is left. */
  async closeAll(workers: readonly HarnessWorker[]): Promise<string[]> {
    const leaks: string[] = [];
    for (const { name, closable } of this.#owned.reverse()) {
      const problem = await this.#within(() => closeIt(closable), closable.closeTimeoutMs);
      if (problem !== undefined) leaks.push(`${name}: ${problem}`);
    }
    for (const worker of workers) leaks.push(...(await this.#closeWorker(worker)));
    if (this.#handles === undefined) return leaks;
    // Sockets that were closed just now are gone a few turns later.
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    return [...leaks, ...this.#handles.stop()];
  }

  async #closeWorker(worker: HarnessWorker): Promise<string[]> {
    const problem = await this.#within(() => worker.close());
    await this.#settled(() => worker.running.length === 0 && worker.openConnections === 0);
    const leaks = problem === undefined ? [] : [`worker ${worker.name}: ${problem}`];
    if (worker.openConnections > 0) leaks.push(`worker ${worker.name}: ${worker.openConnections} sockets are open`);
    for (const call of worker.running) leaks.push(`worker ${worker.name}: its script still runs request ${call.requestId} (${call.items} items): does it watch context.signal?`);
    return leaks;
  }

  async #within(close: () => Promise<void>, timeoutMs = this.timeoutMs): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => (timer = setTimeout(resolve, timeoutMs, `did not close within ${timeoutMs} ms`)));
    try {
      return await Promise.race([close().then(() => undefined), late]);
    } catch (error) {
      return `close() failed: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Scripts end a few turns after their signal. */
  async #settled(done: () => boolean): Promise<void> {
    const deadline = performance.now() + this.timeoutMs;
    while (!done() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function closeIt(closable: Closable): Promise<void> {
  if (closable.closeAllConnections === undefined) {
    await closable.close();
    return;
  }
  const closed = new Promise<void>((resolve) => void closable.close(() => resolve()));
  closable.closeAllConnections();
  await closed;
}
