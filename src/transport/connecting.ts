

/** Bounds how many connections are being opened at one time. */
export class ConnectGate {
  #opening = 0;
  readonly #turned = new Set<() => void>();

  constructor(private readonly limit: number) {}

  /** Nothing is being opened and nobody waits. */
  get idle(): boolean {
    return this.#opening === 0 && this.#turned.size === 0;
  }

  /** Takes a place; false when there is none, `retry` is then called once there may be one. */
  enter(retry: () => void): boolean {
    if (this.#opening >= this.limit) {
      this.#turned.add(retry);
      return false;
    }
    this.#opening += 1;
    return true;
  }

  /** No longer wants the place that it was to be called for. */
  forget(retry: () => void): void {
    this.#turned.delete(retry);
  }

  leave(): void {
    this.#opening -= 1;
    for (const retry of this.#turned) {
      if (this.#opening >= this.limit) return;
      this.#turned.delete(retry);
      retry();
    }
  }
}

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
