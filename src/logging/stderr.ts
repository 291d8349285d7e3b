import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { monotonicMs } from '../internal/index.js';

/** A reader that has not made room by now does not keep the process from exiting. */
const EXIT_PATIENCE_MS = 2000;
const RETRY_MS = 10;
const SLEEP = new Int32Array(new SharedArrayBuffer(4));
const LINE_FEED = 10;

/** Bytes of lines that may wait for a reader. */
export const DEFAULT_BACKLOG_BYTES = 8 * 1024 * 1024;

/** Makes the line that tells how many lines were dropped. */
export type DroppedNote = (lines: number) => string;

/**
 * Lines gathered over one turn of the event loop and written in one piece: a system call for each record would cost a busy
 * server more than making the record does. `write` takes bytes and returns how many it took, as `fs.writeSync` does: a stream
 * would keep what a full pipe does not take in a queue of its own, and lose it when the process exits.
 *
 * What a full pipe does not take waits here. Beyond the limit lines are dropped until half of it is free again; then one line tells
 * how many, and so it does after a write that failed (a full disk).
 */
export class LineWriter {
  /** Bytes that may wait. Lines of the current turn count one byte a character. */
  limit = DEFAULT_BACKLOG_BYTES;
  #lines = '';
  /** What has no room yet, in order. */
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #scheduled = false;
  #exitBy: number | undefined;
  #note: DroppedNote | undefined;
  #dropped = 0;
  /** Dropped lines that a note tells of which has not gone out. */
  #noted = 0;
  #isFull = false;
  /** The last byte that went out was inside a line. */
  #isInsideLine = false;
  /** The rest of that line is lost. */
  #isCut = false;

  constructor(private readonly write: (bytes: Uint8Array) => number) {}

  line(text: string, note?: DroppedNote): void {
    this.#note = note;
    this.#isFull ||= this.#bytes + this.#lines.length + text.length > this.limit;
    if (this.#isFull) this.#dropped += 1;
    else this.#lines += `${text}\n`;
    if (this.#exitBy !== undefined) this.exit();
    else if (!this.#scheduled) this.#schedule();
  }

  /** The process exits: what is left is written now, and so is every later line, since no turn of the event loop comes any more. */
  exit(): void {
    this.#exitBy ??= monotonicMs() + EXIT_PATIENCE_MS;
    this.flush();
    while (this.#waiting.length > 0 && monotonicMs() < this.#exitBy) {
      Atomics.wait(SLEEP, 0, 0, RETRY_MS);
      this.flush();
    }
  }

  /** Writes as much as there is room for. What there is none for is tried again soon. */
  flush(): void {
    this.#scheduled = false;
    this.#push(this.#lines);
    this.#lines = '';
    try {
      this.#writeWaiting();
      this.#tellDropped();
      this.#writeWaiting();
    } catch (error) {
      // Any other error: nobody reads this any more, or there is no room for good, and the lines are lost.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') this.#loseWaiting();
    }
    if (this.#isFull && this.#bytes <= this.limit / 2) this.#tellDropped();
    if (this.#waiting.length > 0 && this.#exitBy === undefined) this.#schedule();
  }

  #push(text: string): void {
    if (text === '') return;
    const bytes = Buffer.from(text);
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
  }

  #writeWaiting(): void {
    if (this.#isCut && this.#waiting.length > 0) this.#isCut = this.write(Uint8Array.of(LINE_FEED)) === 0;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const taken = this.write(first);
      this.#bytes -= taken;
      if (taken > 0) this.#isInsideLine = first[taken - 1] !== LINE_FEED;
      if (taken < first.length) this.#waiting[0] = first.subarray(taken);
      else this.#waiting.shift();
    }
    this.#noted = 0;
  }

  #tellDropped(): void {
    this.#isFull = false;
    if (this.#dropped === 0 || this.#note === undefined) return;
    this.#push(`${this.#note(this.#dropped)}\n`);
    this.#noted = this.#dropped;
    this.#dropped = 0;
  }

  #loseWaiting(): void {
    let lines = 0;
    for (const bytes of this.#waiting) for (const byte of bytes) if (byte === LINE_FEED) lines += 1;
    this.#dropped += this.#noted > 0 ? lines - 1 + this.#noted : lines;
    this.#noted = 0;
    this.#waiting = [];
    this.#bytes = 0;
    this.#isCut ||= this.#isInsideLine;
  }

  #schedule(): void {
    this.#scheduled = true;
    if (this.#waiting.length > 0) setTimeout(() => this.flush(), RETRY_MS).unref();
    else setImmediate(() => this.flush());
  }
}

let shared: LineWriter | undefined;

/** The writer of this process's standard error. */
export function stderrWriter(): LineWriter {
  if (shared === undefined) {
    const fd = openStderr();
    const writer = new LineWriter((bytes) => writeSync(fd, bytes));
    process.once('exit', () => writer.exit());
    shared = writer;
  }
  return shared;
}

/** Writes the lines of this turn now, as far as there is room. */
export function flushLines(): void {
  shared?.flush();
}

const STDERR = 2;

/**
 * A pipe is opened once more: Node makes its own end wait for no reader, and a child process that inherits it makes it wait again, for
 * all who share it. Then a reader that stands still would stop this process.
 */
function openStderr(): number {
  try {
    return fstatSync(STDERR).isFIFO() ? openSync(`/proc/self/fd/${STDERR}`, constants.O_WRONLY | constants.O_NONBLOCK) : STDERR;
  } catch {
    return STDERR; // Another system, or another user's pipe.
  }
}
