import { numberOption, type OptionReader } from '../internal/index.js';

/** The longest time that a timer can hold, in milliseconds: 24.8 days. Node fires a longer one at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Reads a duration in milliseconds, which a timer must be able to hold. */
export function durationOption(fallback: number, { min = 0 } = {}): OptionReader<number> {
  return numberOption(fallback, { min, max: MAX_TIMER_MS });
}

/** A duration that was given with one call, or `fallback`. @throws ERR_OPTION_INVALID naming `path` */
export function callDuration(given: number | undefined, fallback: number, path: string, min: 0 | 1 = 0): number {
  return given === undefined ? fallback : durationOption(fallback, { min })(given, path);
}

/**
 * A time limit on a peer. When it is up, what has already arrived is handled first: a process that was busy for long must not
 * take its own lateness for the peer's.
 */
export class Deadline {
  readonly #timer: NodeJS.Timeout;
  #immediate: NodeJS.Immediate | undefined;

  constructor(ms: number, onUp: () => void) {
    this.#timer = setTimeout(() => {
      this.#immediate = setImmediate(onUp);
    }, ms);
  }

  /** Does not keep the process alive. */
  unref(): this {
    this.#timer.unref();
    return this;
  }

  /** Begins anew. */
  refresh(): void {
    clearImmediate(this.#immediate);
    this.#timer.refresh();
  }

  clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }
}
