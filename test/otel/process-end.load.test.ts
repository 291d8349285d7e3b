/** What an app with `dynamo-tracing/otel/register` has sent when its process is over, and how that ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { startReceiver, type Receiver } from '../support/otlp-receiver.cjs';
import { until } from '../support/until.js';

const ROOT = join(__dirname, '..', '..');
/** Nothing is sent before the end. */
const LATE = { OTEL_BSP_SCHEDULE_DELAY: '600000', OTEL_BLRP_SCHEDULE_DELAY: '600000', OTEL_METRIC_EXPORT_INTERVAL: '600000' };
/** Nothing gives up before the end. */
const PATIENT = { OTEL_EXPORTER_OTLP_TIMEOUT: '600000', OTEL_BSP_EXPORT_TIMEOUT: '600000', OTEL_BLRP_EXPORT_TIMEOUT: '600000', OTEL_METRIC_EXPORT_TIMEOUT: '600000' };

const TREE = 'http-request @dynamo\n  POST @dynamo\n    http-request @dynamo\n  POST @dynamo\n    http-request @dynamo';

class App {
  stdout = '';
  stderr = '';
  readonly child: ChildProcess;
  readonly #closed: Promise<unknown>;

  constructor(ending: string, env: Readonly<Record<string, string>>) {
    // Who has options of their own starts telemetry by themselves.
    const register = ending === 'flushes for a moment' ? [] : ['--import', './src/otel/register.ts'];
    this.child = spawn(process.execPath, ['--import', 'tsx', ...register, join('test', 'fixtures', 'otel', 'app.ts'), ending], {
      cwd: ROOT, env: { PATH: process.env['PATH'], DYN_LOGGING_JSONL: '1', ...env }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout!.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.#closed = once(this.child, 'close');
  }

  async url(): Promise<string> {
    await until('the port', () => this.stdout.includes('port ') || this.child.exitCode !== null);
    return `http://127.0.0.1:${/port (\d+)/.exec(this.stdout)?.[1]}`;
  }

  /** A request that is open, with a call inside it that is done and one that is not. */
  async ask(): Promise<void> {
    void fetch(`${await this.url()}/v1/chat/completions`, { method: 'POST', body: '{}' }).catch(() => undefined);
    await until('the request', () => this.stdout.includes('open'));
  }

  /** The exit code, or the signal that ended it. */
  async ended(): Promise<number | string | null> {
    await this.#closed;
    return this.child.exitCode ?? this.child.signalCode;
  }

  get warnings(): string[] {
    return this.stderr.split('\n').filter((line) => line.includes('DynamoTracingWarning'));
  }
}

let app: App | undefined;
afterEach(() => void app?.child.kill('SIGKILL'));

describe.each(['grpc', 'http/protobuf'] as const)('over %s', (protocol) => {
  let receiver: Receiver;
  beforeEach(async () => {
    receiver = await startReceiver(protocol);
  });
  afterEach(() => receiver.close());
  const start = (ending: string): App => (app = new App(ending, { ...receiver.env, ...LATE }));

  test.each(['SIGTERM', 'SIGINT'] as const)('%s over an open request, which nobody listens to: the spans and records of all that was open are sent, then the signal ends the process', async (signal) => {
    start('nobody listens');
    await app!.ask();
    expect(receiver.exports).toEqual([]);
    app!.child.kill(signal);
    expect(await app!.ended()).toBe(signal);
    expect(receiver.tree()).toBe(TREE);
    expect(receiver.logs.filter(({ body }) => body === 'request completed').map(({ attributes }) => attributes['status'])).toEqual(['success', 'error', 'error']);
    expect(app!.stderr).toContain('"error_type":"internal"');
    expect(app!.warnings).toEqual([]);
  });

  test.each([
    ['ends by itself', false],
    ['shuts telemetry down and exits', false],
    ['listens and ends by itself', true],
    ['closes gracefully and exits', true],
  ])('an app that %s: spans, log records and metrics are sent, and the exit code is its own', async (ending, isAsked) => {
    start(ending);
    if (isAsked) {
      await app!.url();
      app!.child.kill('SIGTERM');
    }
    expect(await app!.ended()).toBe(7);
    expect(receiver.tree()).toBe('work @dynamo');
    expect(receiver.logs.map(({ body }) => body)).toContain('worked');
    expect(receiver.metrics.map(({ name }) => name)).toContain('app.works');
    if (ending.startsWith('listens')) expect(app!.stdout).toContain('listeners 1\n');
  });

  test('process.exit() without shutdown() loses what has not been sent, and its code stays', async () => {
    start('exits');
    expect(await app!.ended()).toBe(7);
    expect(receiver.exports).toEqual([]);
  });

  test('a signal is taken again when the listener of the app has left', async () => {
    start('listened once');
    await app!.ask();
    app!.child.kill('SIGTERM');
    expect(await app!.ended()).toBe('SIGTERM');
    expect(receiver.tree()).toBe(TREE);
  });

  test('the variables of the process are as they were when the app starts', async () => {
    start('ends by itself');
    await app!.ended();
    expect(/variables (.*)/.exec(app!.stdout)?.[1]?.split(',')).toEqual(Object.keys({ ...receiver.env, ...LATE }).sort());
  });
});

describe('a receiver that takes connections and never answers', () => {
  let server: Server;
  let env: Record<string, string>;
  beforeEach(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    env = { ...PATIENT, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  });
  afterEach(() => void server.close());

  test.each(['grpc', 'http/protobuf'])('over %s: a signal ends the process when the time for it is over', async (protocol) => {
    app = new App('flushes for a moment', { ...env, OTEL_EXPORTER_OTLP_PROTOCOL: protocol });
    await app.ask();
    app.child.kill('SIGTERM');
    expect(await app.ended()).toBe('SIGTERM');
  });

  test('a second signal ends the process at once', async () => {
    app = new App('nobody listens', { ...env, ...LATE, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' });
    await app.ask();
    const connected = once(server, 'connection'); // it is sending
    app.child.kill('SIGTERM');
    await connected;
    app.child.kill('SIGINT');
    expect(await app.ended()).toBe('SIGINT');
  });
});

describe('a receiver that is down', () => {
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_TIMEOUT: '1000', OTEL_BSP_SCHEDULE_DELAY: '20', OTEL_BLRP_SCHEDULE_DELAY: '20' };
  const MESSAGE = [expect.stringMatching(/OpenTelemetry export failed: .*ECONNREFUSED 127\.0\.0\.1:1/)];

  test.each(['grpc', 'http/protobuf'])('over %s: requests are answered, the end is the own, and one message says why nothing arrives', async (protocol) => {
    app = new App('listens and ends by itself', { ...env, OTEL_EXPORTER_OTLP_PROTOCOL: protocol });
    const url = `${await app.url()}/v1/completions`;
    for (let left = 5; left > 0; left -= 1) expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(200);
    await until('the message', () => app!.warnings.length > 0);
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(200);
    app.child.kill('SIGTERM');
    expect(await app.ended()).toBe(7);
    expect(app.warnings).toEqual(MESSAGE);
  });

  test.each(['shuts telemetry down and exits', 'ends by itself'])('an app that %s has its exit code and one message', async (ending) => {
    app = new App(ending, { ...env, ...LATE });
    expect(await app.ended()).toBe(7);
    expect(app.warnings).toEqual(MESSAGE);
  });
});
