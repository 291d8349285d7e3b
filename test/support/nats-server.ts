import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { until } from './until.js';

/** Where the binary is: NATS_SERVER_BINARY and nowhere else when it is set, or the usual places of packages and the search path. */
const { NATS_SERVER_BINARY: given } = process.env;
const BINARY = (given === undefined ? ['/usr/sbin/nats-server', '/usr/local/bin/nats-server', 'nats-server'] : [given]).find(runs);

/** Why tests over a real server cannot run here; undefined when they can. */
export const NATS_SERVER_MISSING = BINARY === undefined ? 'no nats-server binary: apt-get install nats-server, or set NATS_SERVER_BINARY' : undefined;

/** `describe` for tests over a real nats-server. Without the binary they are skipped, with the reason in the title and on standard error. */
export function describeWithNats(title: string, tests: () => void): void {
  if (NATS_SERVER_MISSING === undefined) return describe(title, tests);
  process.stderr.write(`\n*** SKIPPED: ${title}: ${NATS_SERVER_MISSING} ***\n`);
  describe.skip(`${title} [SKIPPED: ${NATS_SERVER_MISSING}]`, tests);
}

/** A nats-server of the test's own. */
export interface NatsServer {
  /** `nats://127.0.0.1:<port>` */
  readonly url: string;
  readonly pid: number;
  /** Ends the process, by its id. */
  stop(): Promise<void>;
}

/** Starts a server on a free port of the loopback interface. `config` goes into its configuration file. */
export async function startNatsServer(config = ''): Promise<NatsServer> {
  if (BINARY === undefined) throw new Error(NATS_SERVER_MISSING);
  const directory = mkdtempSync(join(tmpdir(), 'nats-'));
  writeFileSync(join(directory, 'server.conf'), `${config}\n`);
  const child = spawn(BINARY, ['-c', join(directory, 'server.conf'), '-a', '127.0.0.1', '-p', '-1', '--ports_file_dir', directory], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${BINARY} did not start`);
  const portsFile = join(directory, `nats-server_${pid}.ports`);
  await until('nats-server names its port', () => {
    if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}: ${log}`);
    return existsSync(portsFile) && readFileSync(portsFile, 'utf8').includes('"nats"');
  });
  const { nats } = JSON.parse(readFileSync(portsFile, 'utf8')) as { nats: string[] };
  return { url: nats[0]!, pid, stop: () => stop(child, directory) };
}

async function stop(child: ChildProcess, directory: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  rmSync(directory, { recursive: true, force: true });
}

function runs(binary: string): boolean {
  return spawnSync(binary, ['--version'], { stdio: 'ignore' }).status === 0;
}
