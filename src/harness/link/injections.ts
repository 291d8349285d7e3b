import { clearTimeout, setTimeout } from 'node:timers';
import { invalidOption } from '../../internal/index.js';
import type { Fault, FaultSide } from './faults.js';
import type { LinkRequest } from './link-request.js';

/** Which requests a fault hits; `R` is what the request is shown as. */
export interface InjectOptions<R = LinkRequest> {
  /** Hits at most so many requests. Default: all. */
  readonly times?: number | undefined;
  /** Hits only requests for which this is true. Default: all. */
  readonly when?: ((request: R) => boolean) | undefined;
}

/** A fault that has been injected. */
export interface InjectedFault {
  readonly name: string;
  /** Requests it has hit. */
  readonly hits: number;
  /** Hits no more requests. */
  remove(): void;
}

/** The faults of one worker's link or of one proxy, and what they hold back. */
export class Injections<R = LinkRequest> {
  /** Each says whether it hits a request, and counts it. */
  readonly #active = new Map<(request: R) => boolean, Fault>();
  readonly #held: (() => void)[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  /** @param where what the faults are for, and whether one is of that kind */
  constructor(private readonly where: { readonly name: string; readonly takes: (fault: Fault) => boolean }) {}

  /** @throws ERR_OPTION_INVALID for a fault that cannot happen there */
  add(fault: Fault, { times = Number.POSITIVE_INFINITY, when }: InjectOptions<R> = {}): InjectedFault {
    if (!this.where.takes(fault)) throw invalidOption('inject(fault)', `a fault of ${this.where.name}`, fault.name);
    const hit = (request: R): boolean => {
      if (injected.hits >= times || when?.(request) === false) return false;
      injected.hits += 1;
      return true;
    };
    const injected = { name: fault.name, hits: 0, remove: () => void this.#active.delete(hit) };
    this.#active.set(hit, fault);
    return injected;
  }

  /** The faults that hit this request: asked once, when its frame has arrived. */
  hitting(request: R): readonly Fault[] {
    return [...this.#active].filter(([hit]) => hit(request)).map(([, fault]) => fault);
  }

  /** Runs `release` when the faults are taken away. */
  untilCleared(release: () => void): void {
    this.#held.push(release);
  }

  /** Runs `fn` after `ms` milliseconds of real time, at once for 0, unless the harness closes before. */
  readonly after = (ms: number, fn: () => void): void => {
    if (this.#closed) return;
    if (ms === 0) return fn();
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, ms);
    this.#timers.add(timer);
  };

  /** Takes all faults away and releases what they hold. */
  clear(): void {
    this.#active.clear();
    for (const release of this.#held.splice(0)) release();
  }

  /** As `clear()`; what was to happen later never does. */
  close(): void {
    this.#closed = true;
    this.clear();
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

/** The faults of one kind among `all`, in the order they were injected. */
export function ofKind<K extends Fault['kind']>(all: readonly Fault[], kind: K): Extract<Fault, { kind: K }>[] {
  return all.filter((fault): fault is Extract<Fault, { kind: K }> => fault.kind === kind);
}

/** Kinds of faults that are on one side of a request. */
export type SidedKind = 'delay' | 'cut' | 'merge' | 'truncate' | 'slowReader' | 'corrupt';

/** The first fault of one kind on one side of a request. */
export function onSide<K extends SidedKind>(all: readonly Fault[], kind: K, side: FaultSide): Extract<Fault, { kind: K }> | undefined {
  return all.find((fault): fault is Extract<Fault, { kind: K }> => fault.kind === kind && 'on' in fault && fault.on === side);
}
