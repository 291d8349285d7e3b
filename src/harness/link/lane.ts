import { clearTimeout, setImmediate, setTimeout } from 'node:timers';
import { joined, type FrameBytes } from './bytes.js';

/** Timers of faults that are pending: all are cleared when the harness closes. */
export class FaultTimers {
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  after(ms: number, fn: () => void): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, ms);
    this.#timers.add(timer);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** Where a lane's bytes go. */
export interface LaneSink {
  write(bytes: Uint8Array): void;
  /** Nothing more comes. */
  end(): void;
  /** The connection breaks here. */
  cut(): void;
}

type Step =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'pause'; readonly schedule: (go: () => void) => void }
  | { readonly kind: 'end' | 'cut' };

/** A frame up to this size goes out in one piece: joining it costs less than a second write. */
const ONE_PIECE = 16_384;

/** One direction of a link: what goes in comes out in the same order, as late and in such pieces as the steps say. */
export class Lane {
  readonly #queue: Step[] = [];
  #waiting = false;
  #dead = false;
  #onIdle: (() => void)[] = [];

  constructor(
    private readonly sink: LaneSink,
    private readonly timers: FaultTimers,
  ) {}

  get idle(): boolean {
    return this.#dead || (!this.#waiting && this.#queue.length === 0);
  }

  send(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#add({ kind: 'bytes', bytes });
  }

  sendFrame(frame: FrameBytes): void {
    if (frame.body.length <= ONE_PIECE) return this.send(joined(frame));
    this.send(frame.head);
    this.send(frame.body);
  }

  /** The bytes in pieces of `size`, each in a turn of the event loop of its own. */
  sendInPieces(bytes: Uint8Array, size: number): void {
    for (let at = 0; at < bytes.length; at += size) {
      this.send(bytes.subarray(at, at + size));
      this.#add({ kind: 'pause', schedule: (go) => void setImmediate(go) });
    }
  }

  wait(ms: number): void {
    this.#add({ kind: 'pause', schedule: (go) => this.timers.after(ms, go) });
  }

  /** Keeps everything that comes from here on, until the returned function is called. */
  hold(): () => void {
    let released = false;
    let release = (): void => void (released = true);
    this.#add({ kind: 'pause', schedule: (go) => (released ? go() : (release = go)) });
    return () => release();
  }

  end(): void {
    this.#add({ kind: 'end' });
  }

  cut(): void {
    this.#add({ kind: 'cut' });
  }

  /** Swallows everything that still comes: the peer waits for ever. */
  silence(): void {
    this.#dead = true;
    this.#queue.length = 0;
    this.#tellIdle();
  }

  /** Calls `fn` when everything so far has gone out: at once as a rule. */
  whenIdle(fn: () => void): void {
    if (this.idle) fn();
    else this.#onIdle.push(fn);
  }

  #add(step: Step): void {
    if (this.#dead) return;
    this.#queue.push(step);
    this.#run();
  }

  #run(): void {
    while (!this.#waiting && !this.#dead) {
      const step = this.#queue.shift();
      if (step === undefined) break;
      this.#do(step);
    }
    if (this.idle) this.#tellIdle();
  }

  #do(step: Step): void {
    switch (step.kind) {
      case 'bytes': return this.sink.write(step.bytes);
      case 'end': return this.sink.end();
      case 'cut':
        this.silence();
        return this.sink.cut();
      case 'pause': return this.#pause(step.schedule);
    }
  }

  #pause(schedule: (go: () => void) => void): void {
    this.#waiting = true;
    schedule(() => {
      this.#waiting = false;
      this.#run();
    });
  }

  #tellIdle(): void {
    for (const fn of this.#onIdle.splice(0)) fn();
  }
}
