// What a test clock does not replace: closing must come to an end whatever a test has faked.
import { performance } from 'node:perf_hooks';
import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { OpenHandles } from './open-handles.js';

/** Something that can be closed: `close()` may give a promise. An HTTP server is closed with its connections. */
export interface Closable {
  /** Begins to close; calls `done` or returns a promise. */
  close(done?: () => void): unknown;
  /** Closes the connections of an HTTP server, so that it can close. */
  closeAllConnections?(): void;
  /** Longest time that it may take, in milliseconds. Default: the harness's `closeTimeoutMs`. */
  readonly closeTimeoutMs?: number | undefined;
}

/** Something owned that can say itself what is still open after `close()`. */
interface Owned {
  readonly name: string;
  readonly closable: Closable;
  readonly leaks?: () => readonly string[];
}

/** Closes what a harness opened and names what would not close. */
export class Leaks {
  readonly #owned: Owned[] = [];
  readonly #handles: OpenHandles | undefined;

  constructor(
    scope: 'own' | 'process',
    private readonly timeoutMs: number,
  ) {
    this.#handles = scope === 'process' ? new OpenHandles() : undefined;
  }

  own(name: string, closable: Closable): void {
    this.#owned.push({ name, closable });
  }

  /** Closes everything, the last opened first, workers after what calls them; returns the names of what is left. */
  async closeAll(workers: readonly Owned[]): Promise<string[]> {
    const leaks: string[] = [];
    for (const { name, closable, leaks: open = () => [] } of [...this.#owned.reverse(), ...workers]) {
      const problem = await this.#within(() => closeIt(closable), closable.closeTimeoutMs);
      await this.#settled(() => open().length === 0);
      leaks.push(...[...(problem === undefined ? [] : [problem]), ...open()].map((leak) => `${name}: ${leak}`));
    }
    if (this.#handles === undefined) return leaks;
    // Sockets that were closed just now are gone a few turns later.
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    return [...leaks, ...this.#handles.stop()];
  }

  async #within(close: () => Promise<unknown>, timeoutMs = this.timeoutMs): Promise<string | undefined> {
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

async function closeIt(closable: Closable): Promise<unknown> {
  if (closable.closeAllConnections === undefined) return closable.close();
  const closed = new Promise<void>((resolve) => void closable.close(() => resolve()));
  closable.closeAllConnections();
  return closed;
}
