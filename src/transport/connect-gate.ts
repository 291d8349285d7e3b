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
