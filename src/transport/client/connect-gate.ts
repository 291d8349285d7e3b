/** Bounds how many connections are being opened at one time, over all hosts. */
export class ConnectGate {
  #opening = 0;
  readonly #turned = new Set<() => void>();

  constructor(private readonly limit: number) {}

  /** Takes a place; false when there is none, `retry` is then called once there may be one. */
  enter(retry: () => void): boolean {
    if (this.#opening >= this.limit) {
      this.#turned.add(retry);
      return false;
    }
    this.#opening += 1;
    return true;
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
