import { onRecord, type LogEntry } from 'dynamo-tracing';

/** Collects the records of this process from `start` to `stop`, and waits for the ones a test needs. */
export class RecordTap {
  readonly entries: LogEntry[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #stop = onRecord((entry) => {
    this.entries.push(entry);
    for (const look of this.#waiting) look();
  });

  stop(): void {
    this.#stop();
  }

  of(message: string): LogEntry[] {
    return this.entries.filter((entry) => entry.message === message);
  }

  /** The fields of the nth record with this message, as soon as it has been written. */
  async next(message: string, n = 1): Promise<Record<string, unknown>> {
    await this.until(() => this.of(message).length >= n, `${n} x '${message}'`);
    const entry = this.of(message)[n - 1]!;
    return { level: entry.level, ...entry.scope?.logFields, ...entry.fields };
  }

  async until(done: () => boolean, what: string, timeoutMs = 20_000): Promise<void> {
    if (done()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`waited ${timeoutMs} ms for ${what}; seen: ${this.entries.map((entry) => entry.message).join(', ') || 'nothing'}`));
      }, timeoutMs);
      const look = (): void => {
        if (!done()) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
    });
  }
}
