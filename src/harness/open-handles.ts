import { createHook } from 'node:async_hooks';

/** Kinds of handles that keep a process alive, as Node names them. */
const KINDS: Readonly<Record<string, string>> = { Timeout: 'timer', TCPWRAP: 'socket', TCPSERVERWRAP: 'server', PIPEWRAP: 'pipe', PIPESERVERWRAP: 'pipe server', UDPWRAP: 'UDP socket', FSEVENTWRAP: 'file watcher', PROCESSWRAP: 'child process' };

/** What lies between a call and the handle that it opens: `listen` looks its address up first. */
const STEPS: ReadonlySet<string> = new Set(['TickObject', 'GETADDRINFOREQWRAP', 'Immediate']);

/** Steps that are kept behind one another: a chain of immediates has no end, and Node takes far fewer for one call. */
const MAX_STEPS = 8;

/** Where something was opened or begun. Its stack is read when somebody asks: that costs far more than taking it. */
class Opening {
  readonly #at: Error;
  #by: Opening | undefined;
  readonly #depth: number = 0;

  constructor(by: Opening | undefined) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 30;
    this.#at = new Error();
    Error.stackTraceLimit = stackTraceLimit;
    if (by === undefined || by.#depth === MAX_STEPS) return;
    this.#depth = by.#depth + 1;
    this.#by = by;
  }

  get where(): string | typeof TEST_RUNNER | undefined {
    return openedAt(this.#at) ?? this.#by?.where;
  }
}

/** Notes every handle of this process that is opened while it listens, and where. */
export class OpenHandles {
  readonly #open = new Map<number, { readonly kind: string; readonly opening: Opening; readonly resource: WeakRef<{ hasRef?(): boolean }> }>();
  /** Where what is under way was begun. */
  readonly #steps = new Map<number, Opening>();
  readonly #hook = createHook({
    init: (id, type, trigger, resource) => {
      const kind = KINDS[type];
      if (kind === undefined && !STEPS.has(type)) return;
      const opening = new Opening(this.#steps.get(trigger));
      this.#steps.set(id, opening);
      if (kind !== undefined) this.#open.set(id, { kind, opening, resource: new WeakRef(resource) });
    },
    destroy: (id) => {
      this.#open.delete(id);
      this.#steps.delete(id);
    },
  });

  constructor() {
    this.#hook.enable();
  }

  /** Stops listening; returns what is still open and would keep the process alive. */
  stop(): string[] {
    this.#hook.disable();
    const left = [...this.#open.values()].filter(({ resource, opening }) => resource.deref()?.hasRef?.() === true && opening.where !== TEST_RUNNER);
    this.#open.clear();
    this.#steps.clear();
    return left.map(({ kind, opening }) => `${kind} opened at ${String(opening.where ?? 'an unknown place')}`);
  }
}

/** A test runner's own handle, e.g. the time limit of a test. */
const TEST_RUNNER = Symbol('test runner');
const RUNNER_LINE = /[\\/]node_modules[\\/](?:jest-|@jest[\\/]|vitest[\\/]|@vitest[\\/])/;

/** The first line of the stack that is not Node's own, a dependency's only if there is no other. */
function openedAt({ stack = '' }: Error): string | typeof TEST_RUNNER | undefined {
  const lines = stack.split('\n').slice(1).map((line) => line.trim().replace(/^at /, ''));
  const own = lines.filter((line) => /[\\/]/.test(line) && !line.includes('node:') && !line.includes('open-handles'));
  if (own.length > 0 && own.every((line) => RUNNER_LINE.test(line))) return TEST_RUNNER;
  return own.find((line) => !line.includes('node_modules')) ?? own[0];
}
