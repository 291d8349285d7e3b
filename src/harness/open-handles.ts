import { createHook } from 'node:async_hooks';

/** Kinds of handles that keep a process alive, as Node names them. */
const KINDS: Readonly<Record<string, string>> = { Timeout: 'timer', TCPWRAP: 'socket', TCPSERVERWRAP: 'server', PIPEWRAP: 'pipe', PIPESERVERWRAP: 'pipe server', UDPWRAP: 'UDP socket', FSEVENTWRAP: 'file watcher', PROCESSWRAP: 'child process' };

/** What lies between a call and the handle that it opens: `listen` looks its address up first. */
const STEPS: ReadonlySet<string> = new Set(['TickObject', 'GETADDRINFOREQWRAP', 'Immediate']);

interface Handle {
  readonly kind: string;
  readonly where: string;
  readonly resource: WeakRef<{ hasRef?(): boolean }>;
}

/** Notes every handle of this process that is opened while it listens, with the line that opened it. Costs a stack trace each. */
export class OpenHandles {
  readonly #open = new Map<number, Handle>();
  /** Where what is under way was begun. */
  readonly #steps = new Map<number, string>();
  readonly #hook = createHook({
    init: (id, type, trigger, resource) => {
      const kind = KINDS[type];
      if (kind === undefined && !STEPS.has(type)) return;
      const opened = openedAt();
      if (opened === TEST_RUNNER) return;
      const where = opened ?? this.#steps.get(trigger);
      if (where !== undefined) this.#steps.set(id, where);
      if (kind !== undefined) this.#open.set(id, { kind, where: where ?? 'an unknown place', resource: new WeakRef(resource) });
    },
    destroy: (id) => {
      this.#open.delete(id);
      this.#steps.delete(id);
    },
  });

  start(): this {
    this.#hook.enable();
    return this;
  }

  /** Stops listening; gives what is still open and would keep the process alive. */
  stop(): string[] {
    const left = [...this.#open.values()].filter(({ resource }) => resource.deref()?.hasRef?.() === true).map(({ kind, where }) => `${kind} opened at ${where}`);
    this.#hook.disable();
    this.#open.clear();
    this.#steps.clear();
    return left;
  }
}

/** A test runner's own handle, e.g. the time limit of a test. */
const TEST_RUNNER = Symbol('test runner');
const RUNNER_LINE = /[\\/]node_modules[\\/](?:jest-|@jest[\\/]|vitest[\\/]|@vitest[\\/])/;

/** The first line of the stack that is not Node's own, a dependency's only if there is no other. */
function openedAt(): string | typeof TEST_RUNNER | undefined {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 30;
  const lines = (new Error().stack ?? '').split('\n').slice(3).map((line) => line.trim().replace(/^at /, ''));
  Error.stackTraceLimit = stackTraceLimit;
  const own = lines.filter((line) => /[\\/]/.test(line) && !line.includes('node:') && !line.includes('open-handles'));
  if (own.length > 0 && own.every((line) => RUNNER_LINE.test(line))) return TEST_RUNNER;
  return own.find((line) => !line.includes('node_modules')) ?? own[0];
}
