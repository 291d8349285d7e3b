/** The programs of the soak as processes of their own, and what is known of them from outside. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buildSync } from 'esbuild';

const ROOT = join(__dirname, '..', '..');
const START_MS = 60_000;
const STOP_MS = 30_000;
const ANSWER_MS = 30_000;

export type Line = Readonly<Record<string, unknown>>;

/** What a process holds. */
export interface Holding {
  /** Bytes in use after a collection. */
  readonly heap: number;
  /** What keeps its event loop alive, by kind. */
  readonly handles: Readonly<Record<string, number>>;
  readonly descriptors: number;
}

/**
 * Bundles examples/gateway into `folder`: a program of two files starts with few descriptors, and soon. The packages are taken from
 * node_modules as ever.
 */
export function bundlePrograms(folder: string): void {
  mkdirSync(folder, { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const alias = Object.fromEntries(['index', 'transport', 'metrics', 'otel'].map((name) => [name === 'index' ? 'dynamo-tracing' : `dynamo-tracing/${name}`, `./src/${name}.ts`]));
  buildSync({
    absWorkingDir: ROOT, entryPoints: ['main', 'worker'].map((name) => `examples/gateway/${name}.ts`), outdir: folder, alias,
    bundle: true, packages: 'external', platform: 'node', target: 'node20', format: 'cjs', logLevel: 'error',
  });
}

const running = new Set<SoakProcess>();

/** Kills what is still there: for the end of the soak, whatever that was. */
export function killAll(): void {
  for (const { child } of running) child.kill('SIGKILL');
}

interface Start {
  readonly folder: string;
  readonly program: 'main' | 'worker';
  readonly env: Readonly<Record<string, string>>;
  /** `ulimit -n` */
  readonly descriptors?: number | undefined;
  readonly onLine: (line: Line) => void;
  readonly onFault: (text: string) => void;
}

export class SoakProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly exited: Promise<void>;
  /** The address that it said it listens on. */
  readonly address: Promise<string>;
  readonly #answers = new Map<number, (answer: Line) => void>();
  #asked = 0;
  /** The signal that is to end it. */
  #ending: 'SIGTERM' | 'SIGKILL' | undefined;

  constructor(readonly name: string, { folder, program, env, descriptors, onLine, onFault }: Start) {
    const node = [process.execPath, '--expose-gc', '--require', join(__dirname, 'inside.cjs'), join(folder, `${program}.js`)];
    const [command, ...args] = descriptors === undefined ? node : ['sh', '-c', `ulimit -n ${descriptors} && exec "$@"`, 'sh', ...node];
    this.child = spawn(command!, args, { env: { PATH: process.env['PATH'], DYN_LOGGING_JSONL: '1', ...env }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.pid = this.child.pid!;
    running.add(this);
    const read = createInterface({ input: this.child.stderr! }).on('line', (line) => {
      if (!line.startsWith('{')) return onFault(`${name} wrote: ${line}`);
      try {
        onLine(JSON.parse(line) as Line);
      } catch {
        onFault(`${name} wrote what is no JSON: ${line.slice(0, 200)}`);
      }
    });
    const drained = once(read, 'close');
    this.exited = once(this.child, 'exit').then(async ([code, signal]) => {
      running.delete(this);
      const expected = this.#ending === 'SIGKILL' ? signal === 'SIGKILL' : this.#ending === 'SIGTERM' && code === 0;
      if (!expected) onFault(`${name} ended with ${String(signal ?? code)}${this.#ending === undefined ? ', and nobody had asked it to' : ` on ${this.#ending}`}`);
      await drained;
    });
    this.address = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${name} did not start within ${START_MS} ms`)), START_MS);
      void this.exited.then(() => reject(new Error(`${name} ended before it listened`)));
      createInterface({ input: this.child.stdout! }).on('line', (line) => {
        const found = /listening on (\S+)/.exec(line);
        if (found === null) return;
        clearTimeout(timer);
        resolve(found[1]!);
      });
    });
    this.address.catch(() => undefined);
    this.child.on('message', (answer: Line) => {
      this.#answers.get(answer['id'] as number)?.(answer);
      this.#answers.delete(answer['id'] as number);
    }).on('error', (error) => onFault(`${name}: ${error.message}`));
    this.#onFault = onFault;
  }

  readonly #onFault: (text: string) => void;

  get isThere(): boolean {
    return existsSync(`/proc/${this.pid}`);
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.child.kill(name);
  }

  async kill(): Promise<void> {
    this.#ending = 'SIGKILL';
    this.child.kill('SIGKILL');
    await this.exited;
  }

  /** SIGTERM, as an operator would; a process that stays is killed. */
  async stop(): Promise<void> {
    this.#ending = 'SIGTERM';
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => {
      this.#onFault(`${this.name} (pid ${this.pid}) was still there ${STOP_MS} ms after SIGTERM`);
      this.child.kill('SIGKILL');
    }, STOP_MS);
    await this.exited;
    clearTimeout(timer);
  }

  /** Blocks its event loop. */
  async block(ms: number): Promise<void> {
    await this.#ask('block', { ms });
  }

  async holding(): Promise<Holding> {
    return await this.#ask('measure', {}) as unknown as Holding;
  }

  /** TCP connections that it has open. */
  connections(): number {
    const states = new Map<string, string>();
    for (const table of ['tcp', 'tcp6']) {
      for (const row of readFileSync(`/proc/${this.pid}/net/${table}`, 'utf8').split('\n').slice(1)) {
        const fields = row.trim().split(/\s+/);
        if (fields.length > 9) states.set(`socket:[${fields[9]!}]`, fields[3]!);
      }
    }
    const LISTENS = '0A';
    return this.#descriptors().filter((target) => (states.get(target) ?? LISTENS) !== LISTENS).length;
  }

  #descriptors(): string[] {
    const folder = `/proc/${this.pid}/fd`;
    return readdirSync(folder).flatMap((name) => {
      try {
        return [readlinkSync(join(folder, name))];
      } catch {
        return []; // closed meanwhile
      }
    });
  }

  #ask(op: string, fields: object): Promise<Line> {
    const id = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name} did not answer '${op}' within ${ANSWER_MS} ms`)), ANSWER_MS);
      const settle = (): void => clearTimeout(timer);
      this.#answers.set(id, (answer) => {
        settle();
        resolve(answer);
      });
      void this.exited.then(() => {
        settle();
        resolve({});
      });
      this.child.send({ id, op, ...fields }, (error) => {
        if (error !== null) resolve({});
      });
    });
  }
}
