/** TLS on both planes by the DYN_TCP_TLS_* variables, both ways. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eachRelease } from './support/each-release.js';
import { collect, DELICATE, failing, House } from './support/house.js';
import { pythonClient, pythonWorker, type SpokenProcess } from './support/python.js';
import { CODECS } from './support/releases.js';

const ENDPOINT = 'interop.python.generate';
const OPENSSL_MISSING = spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0 ? undefined : 'no openssl to make a certificate with';
const values = [{ i: 0, value: DELICATE }];

/** A CA, and a certificate of it for the loopback addresses (clients of 1.5.0 advertise ::1): Dynamo's TLS does not take a CA's own certificate for a peer's. */
function certificate(directory: string): Record<string, string> {
  const file = (name: string): string => join(directory, name);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  writeFileSync(file('leaf.ext'), 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n');
  openssl('req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=interop CA', '-keyout', file('ca.key'), '-out', file('ca.pem'));
  openssl('req', ...newKey, '-subj', '/CN=localhost', '-keyout', file('leaf.key'), '-out', file('leaf.csr'));
  openssl('x509', '-req', '-in', file('leaf.csr'), '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-set_serial', '1', '-days', '2', '-extfile', file('leaf.ext'), '-out', file('leaf.pem'));
  return { DYN_TCP_TLS_CERT_PATH: file('leaf.pem'), DYN_TCP_TLS_KEY_PATH: file('leaf.key'), DYN_TCP_TLS_CA_CERT_PATH: file('ca.pem') };
}

eachRelease('TLS on both planes', (release) => {
  const directory = mkdtempSync(join(tmpdir(), 'dynamo-interop-tls-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  describe.each(CODECS)('%s', (codec) => {
    const house = new House();
    const env = certificate(directory);
    let client: SpokenProcess;

    beforeAll(async () => {
      const started = await Promise.all([pythonWorker(release, ENDPOINT, { store: house.store, codec, env }), pythonClient(release, { store: house.store, env })]);
      for (const each of started) house.onClose(() => each.stop());
      client = started[1];
    });

    it('our client → Python worker', async () => {
      const router = house.router(ENDPOINT, { client: house.client({ env }) });
      await expect(collect(router.generate({ n: 1, report: false, value: DELICATE }))).resolves.toEqual(values);
    });

    it('our client without TLS is refused by the Python worker', async () => {
      const router = house.router(ENDPOINT, { client: house.client({ requestTimeoutMs: 2000 }), migrationLimit: 0 });
      expect((await failing(router.generate({ n: 1 }))).error).toMatchObject({ code: expect.stringMatching(/^ERR_(CONNECTION_CLOSED|ACK_TIMEOUT|WORKER_PROTOCOL)$/) });
    });

    it('Python client → our worker', async () => {
      const name = 'interop.node.generate';
      await house.serve(name, codec, { env });
      await expect(client.ask({ endpoint: name, request: { n: 1, value: DELICATE } })).resolves.toEqual({ items: values, errors: [], outcome: 'complete' });
    });

    it('a Python client with TLS is refused by our worker without', async () => {
      const name = 'interop.plain.generate';
      const { lines } = await house.serve(name, codec);
      const { errors, outcome } = await client.ask({ endpoint: name, request: { n: 1 } });
      expect({ outcome, lines }).toEqual({ outcome: 'error', lines: [] });
      expect(errors).toMatchObject([{ stage: 'request' }]);
    });
  });
}, OPENSSL_MISSING);
