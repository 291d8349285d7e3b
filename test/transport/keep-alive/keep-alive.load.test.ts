import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { tcpNetwork, type TlsOptions } from 'dynamo-tracing/transport';
import { until } from '../../support/until';
import { cleanUp, makeClient, serve } from '../support';

const directory = mkdtempSync(join(tmpdir(), 'dynamo-keep-alive-'));
const [certPath, keyPath] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=worker', '-keyout', keyPath, '-out', certPath], { stdio: 'ignore' });
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(cleanUp);

const waiting = async function* () {
  yield 1;
  await new Promise(() => undefined);
};

/** Timers of the open connections to and from a port: their kind (02 is keep-alive) and when they are due, in hundredths of a second. */
function socketTimers(port: number): { readonly kind: string; readonly due: number }[] {
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/));
  const isOfPort = (address = ''): boolean => Number.parseInt(address.split(':')[1] ?? '', 16) === port;
  return rows.filter(([, local, remote, state]) => state === '01' && (isOfPort(local) || isOfPort(remote))).map(([, , , , , timer = '']) => {
    const [kind = '', due = ''] = timer.split(':');
    return { kind, due: Number.parseInt(due, 16) };
  });
}

const isLinux = process.platform === 'linux';
(isLinux ? describe : describe.skip)(`a socket${isLinux ? '' : ' (skipped: its timers can be read on Linux alone)'}`, () => {
  it.each<[string, TlsOptions]>([['TCP', {}], ['TLS', { certPath, keyPath, insecure: true }]])('of either plane asks a silent peer after a minute (%s, both ends)', async (_what, tls) => {
    const network = tcpNetwork({ tls, env: {} });
    const worker = await serve(waiting, { network });
    const { port } = await worker.server.listen();
    let responsePort = 0;
    const client = makeClient({ network: { connect: (target) => network.connect(target), listen: async (...args) => {
      const listener = await network.listen(...args);
      responsePort = listener.port;
      return listener;
    } } });
    const begun = performance.now();
    await (await client.openStream(worker.address, 1)).next();
    for (const of of [port, responsePort]) {
      // A segment that is not acknowledged yet has the timer until it is.
      await until('both ends are at rest', () => socketTimers(of).length === 2 && socketTimers(of).every(({ kind }) => kind === '02'));
      for (const { due } of socketTimers(of)) {
        expect(due).toBeLessThanOrEqual(6000);
        // A minute after something came, which was not before the stream: as much of it is over as time has passed, and a tick of the system.
        expect(due).toBeGreaterThanOrEqual(5990 - (performance.now() - begun) / 10);
      }
    }
  });
});

const namespaces = spawnSync('unshare', ['-rn', 'sh', '-c', 'ip link set lo up && ip addr add 10.9.0.1 dev lo'], { stdio: 'ignore' }).status === 0;
(namespaces ? describe : describe.skip)(`a host that vanishes${namespaces ? '' : ' (skipped: no network namespaces here)'}`, () => {
  it('ends its streams on both sides, without an inactivity timeout', async () => {
    const script = join(__dirname, 'vanished-host.ts');
    const { stdout } = await promisify(execFile)('unshare', ['-rn', process.execPath, '--import', 'tsx', script, certPath, keyPath], { timeout: 50_000 });
    expect(stdout.trim().split('\n')).toEqual(['tcp: caller ERR_STREAM_INCOMPLETE, worker killed', 'tls: caller ERR_STREAM_INCOMPLETE, worker killed']);
  }, 60_000);
});
