/** Reads one body piece by piece. `isBytes` says that each character of the text stands for a byte. Times are monotonic milliseconds. */
export interface Reader {
  /** Bytes held for what has not come whole. */
  readonly held: number;
  /** The body has turned out to be a stream. */
  readonly isStream?: boolean;
  push(text: string, isBytes: boolean, nowMs: number): void;
  /** The body has ended, complete or not. */
  end(nowMs: number): void;
  /** Reads what has been put off. */
  flush?(): void;
}
