import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');
type Line = Record<string, unknown>;

/** A program of examples/gateway as its own process, with its records parsed as they are written. */
export class ExampleProcess {
  readonly lines: Line[] = [];
  #stdout = '';
  #stderr = '';
  readonly #looks = new Set<() => void>();

  private constructor(readonly child: ChildProcess) {
    child.stdout!.on('data', (chunk: Buffer) => this.#grow(() => (this.#stdout += chunk.toString())));
    child.stderr!.on('data', (chunk: Buffer) => this.#grow(() => this.#readErrors(chunk.toString())));
  }

  static start(program: 'main' | 'worker', env: Record<string, string> = {}): ExampleProcess {
    const child = spawn(process.execPath, ['--import', 'tsx', join('examples', 'gateway', `${program}.ts`)], {
      cwd: ROOT,
      env: { PATH: process.env['PATH'], PORT: '0', DYN_LOGGING_JSONL: '1', MOCK_TOKEN_DELAY_MS: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new ExampleProcess(child);
  }

  /** The address that the program says it listens on. */
  async address(): Promise<string> {
    await this.until(() => /listening on \S+/.test(this.#stdout), 'the address');
    return /listening on (\S+)/.exec(this.#stdout)![1]!;
  }

  /** What the program has written on standard output. */
  get stdout(): string {
    return this.#stdout;
  }

  records(message: string): Line[] {
    return this.lines.filter((line) => line['message'] === message);
  }

  async record(message: string, target = ''): Promise<Line> {
    const found = (): Line | undefined => this.records(message).find((line) => String(line['target']).includes(target));
    await this.until(() => found() !== undefined, `'${message}'`);
    return found()!;
  }

  /** Ends the program as an operator would; its exit code. */
  async stop(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode;
    this.child.kill('SIGTERM');
    const [code] = await once(this.child, 'exit') as [number | null];
    return code;
  }

  async until(done: () => boolean, what: string, timeoutMs = 15_000): Promise<void> {
    if (done()) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited for ${what}; stdout: ${this.#stdout}; stderr: ${this.#stderr.slice(-2000)}`)), timeoutMs);
      const look = (): void => {
        if (!done()) return;
        clearTimeout(timer);
        this.#looks.delete(look);
        resolve();
      };
      this.#looks.add(look);
    });
  }

  #grow(take: () => void): void {
    take();
    for (const look of this.#looks) look();
  }

  #readErrors(text: string): void {
    const before = this.#stderr.lastIndexOf('\n') + 1;
    this.#stderr += text;
    for (const line of this.#stderr.slice(before, this.#stderr.lastIndexOf('\n') + 1).split('\n')) if (line.startsWith('{')) this.lines.push(JSON.parse(line) as Line);
  }
}
