import { setImmediate } from 'node:timers';
import { joined, type FrameBytes } from './bytes.js';
import type { Fault, FaultSide } from './faults.js';
import { onSide, type SidedKind } from './injections.js';

/** Where a lane's bytes go. */
export interface LaneSink {
  write(bytes: Uint8Array): void;
  /** Nothing more comes. */
  end(): void;
  /** The connection breaks here. */
  cut(): void;
}

/** A frame up to this size goes out in one piece: joining it costs less than a second write. */
const ONE_PIECE = 16_384;

/** One direction of a link: what goes in comes out in the same order, as late and in such pieces as the faults of its side say. */
export class Lane {
  readonly #queue: (() => void)[] = [];
  /** Frames that wait for others, to go out in one piece: before whatever comes next. */
  readonly #held: Buffer[] = [];
  #pace: number | undefined;
  #waiting = false;
  #dead = false;
  readonly #onIdle: (() => void)[] = [];

  constructor(
    private readonly side: FaultSide,
    private readonly sink: LaneSink,
    private readonly after: (ms: number, fn: () => void) => void,
  ) {}

  get idle(): boolean {
    return this.#dead || (!this.#waiting && this.#queue.length === 0);
  }

  push(bytes: Uint8Array): void {
    this.#flush();
    if (bytes.length > 0) this.#add(() => this.sink.write(bytes));
  }

  /**
   * Sends a frame with the faults that hit its request; false when the connection is cut within it.
   * @param before bytes of the same response that went ahead of it @param last no other frame will come for it to be joined with
   */
  sendFrame(frame: FrameBytes, hitting: readonly Fault[] = [], before = 0, last = false): boolean {
    const size = frame.head.length + frame.body.length;
    const find = <K extends SidedKind>(kind: K): Extract<Fault, { kind: K }> | undefined => onSide(hitting, kind, this.side);
    this.#pace ??= find('slowReader')?.bytesPerSecond;
    const ms = (find('delay')?.ms ?? 0) + (this.#pace === undefined ? 0 : (size / this.#pace) * 1000);
    if (ms > 0) this.#pause((go) => this.after(ms, go));
    const limit = find('truncate')?.bytes;
    if (limit !== undefined && before + size >= limit) {
      this.push(joined(frame).subarray(0, Math.max(limit - before, 0)));
      this.cut();
      return false;
    }
    const merge = find('merge');
    if (merge === undefined) this.#sendWhole(frame, find('cut')?.size);
    else if (this.#held.push(frame.head, frame.body) >= 2 * merge.frames || last) this.#flush();
    return true;
  }

  /** Keeps everything that comes from here on, until the returned function is called. */
  hold(): () => void {
    let released = false;
    let release = (): void => void (released = true);
    this.#pause((go) => (released ? go() : (release = go)));
    return () => release();
  }

  end(): void {
    this.#flush();
    this.#add(() => this.sink.end());
  }

  /** The connection breaks when what is on the way has gone out: by `how`, or as the sink does it. Whatever still comes is swallowed. */
  cut(how: () => void = () => this.sink.cut()): void {
    this.#flush();
    this.#add(() => {
      this.#dead = true;
      this.#queue.length = 0;
      this.#tellIdle();
      how();
    });
  }

  /** Calls `fn` when everything so far has gone out: at once as a rule. */
  whenIdle(fn: () => void): void {
    if (this.idle) fn();
    else this.#onIdle.push(fn);
  }

  /** Pieces go out each in a turn of the event loop of its own. */
  #sendWhole(frame: FrameBytes, pieceSize: number | undefined): void {
    if (pieceSize === undefined && frame.body.length > ONE_PIECE) {
      this.push(frame.head);
      return this.push(frame.body);
    }
    const bytes = joined(frame);
    if (pieceSize === undefined) return this.push(bytes);
    for (let at = 0; at < bytes.length; at += pieceSize) {
      this.push(bytes.subarray(at, at + pieceSize));
      this.#pause((go) => void setImmediate(go));
    }
  }

  #flush(): void {
    if (this.#held.length === 0) return;
    const bytes = Buffer.concat(this.#held.splice(0));
    this.#add(() => this.sink.write(bytes));
  }

  #pause(schedule: (go: () => void) => void): void {
    this.#add(() => {
      this.#waiting = true;
      schedule(() => {
        this.#waiting = false;
        this.#run();
      });
    });
  }

  #add(step: () => void): void {
    if (this.#dead) return;
    this.#queue.push(step);
    this.#run();
  }

  #run(): void {
    while (!this.#waiting && !this.#dead) {
      const step = this.#queue.shift();
      if (step === undefined) break;
      step();
    }
    if (this.idle) this.#tellIdle();
  }

  #tellIdle(): void {
    for (const fn of this.#onIdle.splice(0)) fn();
  }
}
