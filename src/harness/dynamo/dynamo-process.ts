import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout, clearTimeout } from 'node:timers';
import { isTruthy } from '../../internal/index.js';
import { recordOfLine, type CapturedRecord, type RecordWriter } from '../record/index.js';

/**
 * Runs a module as `python -m` does, and ends the process and its children when standard input ends: nothing is left behind by a
 * test that was killed.
 */
const PROGRAM = `
import os, runpy, signal, sys, threading
def end_with_input():
    while os.read(0, 4096):
        pass
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=end_with_input, daemon=True).start()
module = sys.argv.pop(1)
sys.argv[0] = module
runpy.run_module(module, run_name="__main__", alter_sys=True)
`;

/** Lines of the log that are kept. */
const KEPT_LINES = 2000;

/** What is run. */
export interface DynamoCommand {
  readonly python: string;
  /** E.g. `dynamo.frontend`. */
  readonly module: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string | undefined;
  /** Its `service.name`. */
  readonly name: string;
}

/** A Dynamo process that a harness has started. */
export class DynamoProcess {
  readonly name: string;
  /** A machine under load takes seconds to end a process that was killed. */
  readonly closeTimeoutMs = 10_000;
  /** @internal What a trace has to know of the process that wrote a record. */
  readonly writer: RecordWriter;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #exited: Promise<void>;
  #failure: Error | undefined;

  /** @internal `dynamo.run()` starts one. */
  constructor({ python, module, args, env, cwd, name }: DynamoCommand, take: (record: CapturedRecord) => void) {
    this.name = name;
    // A process group of its own: its children end with it.
    this.#child = spawn(python, ['-c', PROGRAM, module, ...args], { env, cwd, stdio: 'pipe', detached: true });
    this.#child.stdin?.on('error', () => undefined);
    this.#exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(void (this.#failure = error)));
      // Its children end with it; asked once, since the number of a process may be given to another later.
      this.#child.once('exit', () => this.#signalGroup());
      this.#child.once('close', () => resolve());
    });
    const child = this.#child;
    const writer = (this.writer = { exportsSpans: isTruthy(env['OTEL_EXPORT_ENABLED']), get ended(): boolean { return hasEnded(child); } });
    for (const stream of [child.stdout, child.stderr]) if (stream !== null) this.#read(stream, (record) => take({ ...record, service: name, writer }));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Whether it has ended. */
  get ended(): boolean {
    return this.#failure !== undefined || hasEnded(this.#child);
  }

  /** The last 2000 lines of its log, standard output included. */
  get log(): string {
    return this.#lines.join('\n');
  }

  /** Ends it at once, as a crash does: its discovery records stay until they expire. */
  kill(): Promise<void> {
    if (!this.ended) this.#signalGroup();
    return this.#exited;
  }

  /** Asks it to end (SIGTERM: its discovery records go), and kills it after `graceMs` milliseconds. Default 5000. */
  async stop(graceMs = 5000): Promise<void> {
    if (!this.ended) this.#child.kill('SIGTERM');
    const timer = setTimeout(() => void this.kill(), graceMs);
    await this.#exited;
    clearTimeout(timer);
  }

  /** The same as `kill()`. */
  close(): Promise<void> {
    return this.kill();
  }

  #read(stream: Readable, take: (record: CapturedRecord) => void): void {
    createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
      this.#lines.push(line);
      if (this.#lines.length > KEPT_LINES) this.#lines.shift();
      const record = recordOfLine(line);
      if (record !== undefined) take(record);
    });
  }

  #signalGroup(): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch (error) {
      // ESRCH: nothing of the group lives. EPERM: what lives of it has ended already and waits to be collected (macOS).
      if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}
