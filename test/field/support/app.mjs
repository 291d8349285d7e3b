import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const START_MS = 60_000;
const RECORD_MS = 5_000;

/** Starts apps/`file` as a process of its own, with telemetry/`telemetry` loaded before it, and waits until it listens. */
export async function startApp(file, { telemetry, env = {} } = {}) {
  const preloads = ['support/child.cjs', ...(telemetry === undefined ? [] : [`telemetry/${telemetry}`])].flatMap((name) => ['--import', pathToFileURL(path.join(here, name)).href]);
  const child = spawn(process.execPath, [...preloads, path.join(here, 'apps', file)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Nothing leaves for a collector that is not there.
    env: { PATH: process.env.PATH, HOME: process.env.HOME, DYN_LOGGING_JSONL: '1', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none', ...env },
  });
  const app = new App(child);
  try {
    await app.until(() => app.url !== undefined, START_MS);
    if (app.url === undefined) throw new Error(`${file} does not listen`);
    return app;
  } catch (error) {
    await app.stop();
    throw new Error(`${error.message}; it wrote:\n${app.stdout}${app.stderr}`, { cause: error });
  }
}

class App {
  url;
  stdout = '';
  stderr = '';
  spans = [];
  /** How the process ended before it was told to. */
  crash;
  #child;
  #closed;
  #heard = () => {};

  constructor(child) {
    this.#child = child;
    this.#closed = once(child, 'close');
    child.stdout.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
      this.url ??= /^listening (\S+)$/m.exec(this.stdout)?.[1];
      this.#heard();
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
      this.#heard();
    });
    child.on('message', ({ span }) => {
      if (span !== undefined) this.took(span);
    });
    child.on('exit', (code, signal) => {
      if (code !== 0) this.crash = `the process ended with ${signal ?? `code ${code}`}`;
      this.#heard();
    });
  }

  /** A span has ended in the app. */
  took(span) {
    this.spans.push(span);
    this.#heard();
  }

  /** The records: ours on standard error, and those of the app's own logger on standard output. */
  get records() {
    return `${this.stderr}${this.stdout}`.split('\n').filter((line) => line.startsWith('{')).flatMap((line) => {
      try {
        const record = JSON.parse(line);
        return [{ ...record, message: record.message ?? record.msg }];
      } catch {
        return [];
      }
    });
  }

  /** What stands on standard error beside the records: warnings, crashes. */
  get noise() {
    return this.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{')).join('\n');
  }

  /** Waits until `done`, or until the app has ended or `ms` are over: the test's assertions then say what is missing. */
  async until(done, ms = RECORD_MS) {
    const over = AbortSignal.timeout(ms);
    while (!done() && this.#child.exitCode === null && this.#child.signalCode === null && !over.aborted) {
      await new Promise((resolve) => {
        this.#heard = resolve;
        over.addEventListener('abort', resolve, { once: true });
      });
    }
  }

  async stop() {
    if (this.#child.connected) this.#child.send('stop', () => {});
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    await this.#closed;
    clearTimeout(patience);
  }
}
