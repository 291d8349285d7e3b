import type { Fault, FaultSide } from './faults.js';
import { invalidOption } from '../../internal/index.js';
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

class Injection<R> implements InjectedFault {
  hits = 0;

  constructor(
    readonly fault: Fault,
    private readonly options: InjectOptions<R>,
    private readonly owner: Set<Injection<R>>,
  ) {}

  get name(): string {
    return this.fault.name;
  }

  remove(): void {
    this.owner.delete(this);
  }

  hit(request: R): boolean {
    if (this.hits >= (this.options.times ?? Number.POSITIVE_INFINITY) || this.options.when?.(request) === false) return false;
    this.hits += 1;
    return true;
  }
}

/** The faults of one worker's link or of one proxy. */
export class Injections<R = LinkRequest> {
  readonly #active = new Set<Injection<R>>();
  readonly #held: (() => void)[] = [];

  /** @param where what the faults are for, and whether one is of that kind */
  constructor(private readonly where: { readonly name: string; readonly takes: (fault: Fault) => boolean }) {}

  /** @throws ERR_OPTION_INVALID for a fault that cannot happen there */
  add(fault: Fault, options: InjectOptions<R> = {}): InjectedFault {
    if (!this.where.takes(fault)) throw invalidOption('inject(fault)', `a fault of ${this.where.name}`, fault.name);
    const injection = new Injection(fault, options, this.#active);
    this.#active.add(injection);
    return injection;
  }

  /** The faults that hit this request: asked once, when its frame has arrived. */
  hitting(request: R): readonly Fault[] {
    return [...this.#active].filter((injection) => injection.hit(request)).map(({ fault }) => fault);
  }

  /** Runs `release` when the faults are taken away. */
  untilCleared(release: () => void): void {
    this.#held.push(release);
  }

  /** Takes all faults away and releases what they hold. */
  clear(): void {
    this.#active.clear();
    for (const release of this.#held.splice(0)) release();
  }
}

/** The faults of one kind among `all`, in the order they were injected. */
export function ofKind<K extends Fault['kind']>(all: readonly Fault[], kind: K): Extract<Fault, { kind: K }>[] {
  return all.filter((fault): fault is Extract<Fault, { kind: K }> => fault.kind === kind);
}

/** The first fault of one kind on one side of a request. */
export function onSide<K extends SidedKind>(all: readonly Fault[], kind: K, side: FaultSide): Extract<Fault, { kind: K }> | undefined {
  return all.find((fault): fault is Extract<Fault, { kind: K }> => fault.kind === kind && 'on' in fault && fault.on === side);
}

type SidedKind = 'delay' | 'cut' | 'merge' | 'truncate' | 'slowReader' | 'corrupt';
