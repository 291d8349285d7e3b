const FIRST_MS = 20;
const LONGEST_MS = 1000;

/**
 * The pause after a failure to connect to a host: twice as long each time, up to a second. Up to a half of it is left out at random, so
 * that callers which lost one worker together do not come back together. Keeps no process alive: who waits has a timer of its own.
 */
export class ReconnectPause {
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly onOver: () => void) {}

  /** Whether nothing may be opened now. */
  get on(): boolean {
    return this.#timer !== undefined;
  }

  failed(): void {
    if (this.#timer !== undefined) return;
    const longest = Math.min(FIRST_MS * 2 ** this.#failures, LONGEST_MS);
    this.#failures += 1;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.onOver();
    }, longest * (1 - Math.random() / 2)).unref();
  }

  succeeded(): void {
    this.#failures = 0;
    this.clear();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
