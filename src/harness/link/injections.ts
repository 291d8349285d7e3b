import type { Fault, FaultSide } from './faults.js';
import type { LinkRequest } from './link-request.js';

/** Which requests a fault hits. */
export interface InjectOptions {
  /** Hits at most so many requests. Default: all. */
  readonly times?: number | undefined;
  /** Hits only requests for which this is true. Default: all. */
  readonly when?: ((request: LinkRequest) => boolean) | undefined;
}

/** A fault that has been injected. */
export interface InjectedFault {
  readonly name: string;
  /** Requests it has hit. */
  readonly hits: number;
  /** Hits no more requests. */
  remove(): void;
}

class Injection implements InjectedFault {
  hits = 0;

  constructor(
    readonly fault: Fault,
    private readonly options: InjectOptions,
    private readonly owner: Set<Injection>,
  ) {}

  get name(): string {
    return this.fault.name;
  }

  remove(): void {
    this.owner.delete(this);
  }

  hit(request: LinkRequest): boolean {
    if (this.hits >= (this.options.times ?? Number.POSITIVE_INFINITY) || this.options.when?.(request) === false) return false;
    this.hits += 1;
    return true;
  }
}

/** The faults of one worker's link. */
export class Injections {
  readonly #active = new Set<Injection>();
  readonly #held: (() => void)[] = [];

  add(fault: Fault, options: InjectOptions = {}): InjectedFault {
    const injection = new Injection(fault, options, this.#active);
    this.#active.add(injection);
    return injection;
  }

  /** The faults that hit this request: asked once, when its frame has arrived. */
  hitting(request: LinkRequest): readonly Fault[] {
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
