import { writeSync } from 'node:fs';
import { monotonicMs } from '../internal/index.js';

const NOTHING: Uint8Array = new Uint8Array();
/** A reader that has not made room by now does not keep the process from exiting. */
const EXIT_PATIENCE_MS = 2000;
const RETRY_MS = 10;
const SLEEP = new Int32Array(new SharedArrayBuffer(4));

/**
 * Lines gathered over one turn of the event loop and written in one piece: a system call for each record would cost a busy
 * server more than making the record does. `write` takes bytes and gives how many it took, as `fs.writeSync` does: a stream
 * would keep what a full pipe does not take in a queue of its own, and lose it when the process exits.
 */
export class LineWriter {
  #lines = '';
  #rest = NOTHING;
  #scheduled = false;
  #exitBy: number | undefined;

  constructor(private readonly write: (bytes: Uint8Array) => number) {}

  line(text: string): void {
    this.#lines += `${text}\n`;
    if (this.#exitBy !== undefined) this.exit();
    else if (!this.#scheduled) this.#schedule();
  }

  /** The process exits: what is left is written now, and so is every later line, since no turn of the event loop comes any more. */
  exit(): void {
    this.#exitBy ??= monotonicMs() + EXIT_PATIENCE_MS;
    this.flush();
    while (this.#rest.length > 0 && monotonicMs() < this.#exitBy) {
      Atomics.wait(SLEEP, 0, 0, RETRY_MS);
      this.flush();
    }
  }

  /** Writes as much as there is room for. What there is none for is tried again soon. */
  flush(): void {
    this.#scheduled = false;
    let bytes = this.#take();
    try {
      while (bytes.length > 0) bytes = bytes.subarray(this.write(bytes));
    } catch (error) {
      // Any other error: nobody reads this any more, and the lines are lost.
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') this.#rest = bytes;
    }
    if (this.#rest.length > 0 && this.#exitBy === undefined) this.#schedule();
  }

  #take(): Uint8Array {
    const lines = Buffer.from(this.#lines);
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, lines]) : lines;
    this.#lines = '';
    this.#rest = NOTHING;
    return bytes;
  }

  #schedule(): void {
    this.#scheduled = true;
    if (this.#rest.length > 0) setTimeout(() => this.flush(), RETRY_MS).unref();
    else setImmediate(() => this.flush());
  }
}

let shared: LineWriter | undefined;

/** The writer of this process's standard error. */
export function stderrWriter(): LineWriter {
  if (shared === undefined) {
    const writer = new LineWriter((bytes) => writeSync(2, bytes));
    process.once('exit', () => writer.exit());
    shared = writer;
  }
  return shared;
}
