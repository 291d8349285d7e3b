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

  clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
  }
}
