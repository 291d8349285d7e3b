import { setImmediate as turn } from 'node:timers/promises';
import { runEndings } from '../internal/index.js';
import { flushLines } from '../logging/index.js';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
type Signal = (typeof SIGNALS)[number];

/** Of a container's first process the kernel takes no signal without a listener: it goes on, and what is open with it. */
const INIT = 1;

/** What is sent when the process ends. None of them may reject. */
export interface LastExport {
  /** The process ends when this has settled. */
  end(): Promise<unknown>;
  /** The process may go on. */
  flush(): Promise<unknown>;
}

/**
 * Sends what there is before the process ends by itself (`beforeExit`) or by SIGTERM or SIGINT. A signal is listened to only while nobody else
 * does: who listens decides when the process ends, and code that counts listeners to decide sees none of ours. Then the signal ends the
 * process as it would have without us, with its own exit code; a second one at once.
 */
export class ProcessEnd {
  #isEnding = false;
  readonly #listeners = new Map<string, () => void>(SIGNALS.map((signal) => [signal, () => this.#onSignal(signal)]));

  constructor(private readonly last: LastExport) {
    for (const signal of SIGNALS) this.#listen(signal);
    process.on('newListener', this.#onNewListener);
    process.on('removeListener', this.#onRemoveListener);
    process.once('beforeExit', this.#onBeforeExit);
  }

  stop(): void {
    process.off('newListener', this.#onNewListener);
    process.off('removeListener', this.#onRemoveListener);
    process.off('beforeExit', this.#onBeforeExit);
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }

  // The listener is added after this event, and Node would stop to take the signal for a moment if ours left before.
  readonly #onNewListener = (event: string | symbol): void => {
    if (this.#listeners.has(String(event))) process.nextTick(() => this.#leave(String(event)));
  };

  readonly #onRemoveListener = (event: string | symbol): void => {
    if (this.#listeners.has(String(event))) this.#listen(String(event));
  };

  readonly #onBeforeExit = (): void => void this.last.flush();

  #listen(signal: string): void {
    const listener = this.#listeners.get(signal);
    if (listener !== undefined && process.listenerCount(signal) === 0) process.on(signal, listener);
  }

  #leave(signal: string): void {
    const listener = this.#listeners.get(signal);
    if (listener !== undefined && process.listenerCount(signal) > 1) process.off(signal, listener);
  }

  #onSignal(signal: Signal): void {
    if (process.listenerCount(signal) > 1) return; // added in this very turn
    if (process.pid === INIT) return void this.last.flush();
    if (this.#isEnding) return this.#die(signal);
    this.#isEnding = true;
    void this.#end().finally(() => this.#die(signal));
  }

  async #end(): Promise<void> {
    runEndings();
    await turn(); // spans inside those that have just ended end a little later
    await this.last.end();
    flushLines();
  }

  #die(signal: Signal): void {
    this.stop();
    process.kill(process.pid, signal);
  }
}
