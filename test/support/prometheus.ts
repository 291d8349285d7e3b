import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { until } from './until.js';

/** Why tests over a real Prometheus cannot run here; undefined when they can. */
const MISSING = ['prometheus', 'promtool'].every((name) => spawnSync(name, ['--version']).status === 0) ? undefined : 'no prometheus and promtool: apt-get install prometheus';

/** `describe` for tests over a real Prometheus. Without it they are skipped, with the reason in the title and on standard error. */
export function describeWithPrometheus(title: string, tests: () => void): void {
  if (MISSING === undefined) return describe(title, tests);
  process.stderr.write(`\n*** SKIPPED: ${title}: ${MISSING} ***\n`);
  describe.skip(`${title} [SKIPPED: ${MISSING}]`, tests);
}

/** What `promtool check metrics` has against a text; '' when nothing. */
export function promtoolSays(text: string): string {
  const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return stdout + stderr;
}

/** A Prometheus of the test's own on the loopback interface, which scrapes `http://127.0.0.1:port/<job>` for each job. */
export class Prometheus {
  readonly #directory = mkdtempSync(join(tmpdir(), 'prometheus-'));
  readonly #child: ChildProcess;
  #log = '';
  #url = '';

  private constructor(port: number, jobs: readonly string[]) {
    const config = join(this.#directory, 'prometheus.yml');
    const scrapes = jobs.map((job) => ({ job_name: job, metrics_path: `/${job}`, static_configs: [{ targets: [`127.0.0.1:${port}`] }] }));
    writeFileSync(config, JSON.stringify({ global: { scrape_interval: '1s' }, scrape_configs: scrapes }));
    const args = [`--config.file=${config}`, '--web.listen-address=127.0.0.1:0', `--storage.tsdb.path=${join(this.#directory, 'data')}`, '--enable-feature=exemplar-storage'];
    this.#child = spawn('prometheus', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr!.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
  }

  static async start(port: number, jobs: readonly string[]): Promise<Prometheus> {
    const prometheus = new Prometheus(port, jobs);
    const address = (): string | undefined => /msg="Listening on" address=(\S+)/.exec(prometheus.#log)?.[1];
    await until('Prometheus is ready', () => (address() !== undefined && prometheus.#log.includes('ready to receive')) || prometheus.#child.exitCode !== null, 60_000);
    if (address() === undefined) throw new Error(prometheus.#log);
    prometheus.#url = `http://${address()}`;
    return prometheus;
  }

  /** What a route of its API answers. */
  async ask(route: string, query: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const res = await fetch(`${this.#url}/api/v1/${route}?${new URLSearchParams(query).toString()}`);
    return ((await res.json()) as { data: unknown }).data;
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
