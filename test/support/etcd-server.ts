import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { until } from './until.js';

/** Where the binary is: ETCD_BINARY and nowhere else when it is set, or the usual places of packages and the search path. */
const { ETCD_BINARY: given } = process.env;
const BINARY = (given === undefined ? ['/usr/bin/etcd', '/usr/local/bin/etcd', 'etcd'] : [given]).find(runs);

/** Why tests over a real server cannot run here; undefined when they can. */
export const ETCD_MISSING = BINARY === undefined ? 'no etcd binary: apt-get install etcd-server, or set ETCD_BINARY' : undefined;

/** `describe` for tests over a real etcd. Without the binary they are skipped, with the reason in the title and on standard error. */
export function describeWithEtcd(title: string, tests: () => void): void {
  if (ETCD_MISSING === undefined) return describe(title, tests);
  process.stderr.write(`\n*** SKIPPED: ${title}: ${ETCD_MISSING} ***\n`);
  describe.skip(`${title} [SKIPPED: ${ETCD_MISSING}]`, tests);
}

/** Certificates that etcd shows and demands, as paths of PEM files. */
export interface EtcdTls {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string;
}

/** An etcd of the test's own, on the loopback interface, with a data directory that it keeps when it is started again. */
export class EtcdServer {
  readonly #directory = mkdtempSync(join(tmpdir(), 'etcd-'));
  #child: ChildProcess | undefined;
  #log = '';

  private constructor(readonly port: number, private readonly tls: EtcdTls | undefined) {}

  static async start(tls?: EtcdTls): Promise<EtcdServer> {
    const server = new EtcdServer(await freePort(), tls);
    await server.run();
    return server;
  }

  get url(): string {
    return `${this.tls === undefined ? 'http' : 'https'}://127.0.0.1:${this.port}`;
  }

  /** Starts the process, again on the same port, and waits until it serves. */
  async run(): Promise<void> {
    if (BINARY === undefined) throw new Error(ETCD_MISSING);
    const args = ['--data-dir', join(this.#directory, 'data'), '--listen-client-urls', this.url, '--advertise-client-urls', this.url, '--listen-peer-urls', 'http://127.0.0.1:0', '--logger', 'zap'];
    if (this.tls !== undefined) args.push('--cert-file', this.tls.cert, '--key-file', this.tls.key, '--trusted-ca-file', this.tls.clientCa, '--client-cert-auth');
    const child = spawn(BINARY, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    this.#log = '';
    child.stderr.on('data', (chunk: Buffer) => {
      this.#log += chunk.toString();
    });
    await until('etcd serves', () => {
      if (child.exitCode !== null) throw new Error(`etcd ended with ${child.exitCode}: ${this.#log.slice(-2000)}`);
      return /serving client traffic|serving insecure client requests/.test(this.#log);
    });
  }

  /** Stops it from running on, as a machine that hangs. */
  /** Stands still, with all of its threads: one that runs on another processor would still answer. */
  pause(): void {
    const pid = this.#child?.pid;
    this.#child?.kill('SIGSTOP');
    const isStill = (task: string): boolean => /\) T /.test(readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8'));
    while (pid !== undefined && existsSync('/proc/self') && !readdirSync(`/proc/${pid}/task`).every(isStill));
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Without a goodbye; the data stays. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Forgets everything: the next start is a cluster of its own. */
  wipe(): void {
    rmSync(join(this.#directory, 'data'), { recursive: true, force: true });
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** Asks the JSON gateway, by another way than the code that is tested. */
  async ask(path: string, body: unknown, token?: string): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.url}/v3/${path}`, { method: 'POST', body: JSON.stringify(body), headers: token === undefined ? {} : { authorization: token } });
    const answer = await response.json() as Record<string, unknown>;
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  /** Everything that is stored: keys, texts and the lease of each. */
  async dump(token?: string): Promise<readonly { readonly key: string; readonly value: string; readonly lease: string }[]> {
    const { kvs = [] } = await this.ask('kv/range', { key: 'AA==', range_end: 'AA==' }, token) as { kvs?: { key: string; value?: string; lease?: string }[] };
    return kvs.map(({ key, value = '', lease = '0' }) => ({ key: text(key), value: text(value), lease }));
  }

  put(key: string, value: string): Promise<unknown> {
    return this.ask('kv/put', { key: Buffer.from(key).toString('base64'), value: Buffer.from(value).toString('base64') });
  }
}

function text(base64: string): string {
  return Buffer.from(base64, 'base64').toString('utf8');
}

/** A port that is free now: etcd's gateway calls the address that it was given, so that 0 cannot be. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function runs(binary: string): boolean {
  return spawnSync(binary, ['--version'], { stdio: 'ignore' }).status === 0;
}
