import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { RequestPlaneServer, tcpNetwork } from 'dynamo-tracing/transport';
import { afterTest, cleanUp, collect, failure, makeClient, serve } from './support';

const directory = mkdtempSync(join(tmpdir(), 'dynamo-tls-'));
const file = (name: string): string => join(directory, name);
const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });

/** A self-signed certificate that is its own CA. */
function certificate(name: string, san: string): void {
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-addext', `subjectAltName=${san}`, '-keyout', file(`${name}.key`), '-out', file(`${name}.pem`));
}
certificate('worker', 'IP:127.0.0.1,DNS:worker.test');
certificate('client', 'IP:127.0.0.1');

afterEach(cleanUp);
afterAll(() => rmSync(directory, { recursive: true }));

const SERVER = { DYN_TCP_TLS_CERT_PATH: file('worker.pem'), DYN_TCP_TLS_KEY_PATH: file('worker.key') };
const TRUST = { DYN_TCP_TLS_CA_CERT_PATH: file('worker.pem') };
const echo = async function* (request: unknown) { yield request; };

describe('TLS by the DYN_TCP_TLS_* variables', () => {
  it('covers both planes', async () => {
    const env = { ...SERVER, ...TRUST };
    const worker = await serve(echo, { env });
    await expect(collect(makeClient({ env }).generate(worker.address, { n: 1 }))).resolves.toEqual([{ n: 1 }]);
    expect(await failure(collect(makeClient().generate(worker.address, 1, { requestTimeoutMs: 500 })))).toMatchObject({ code: 'ERR_CONNECTION_CLOSED' });
  });

  it('verifies the worker: a certificate of another CA, or for another name, is refused', async () => {
    const worker = await serve(echo, { env: { ...SERVER, ...TRUST } });
    const other = makeClient({ env: { ...SERVER, DYN_TCP_TLS_CA_CERT_PATH: file('client.pem') } });
    expect(await failure(collect(other.generate(worker.address, 1)))).toMatchObject({ code: 'ERR_CONNECT_FAILED' });
    const named = makeClient({ env: { ...SERVER, ...TRUST, DYN_TCP_TLS_SERVER_NAME: 'elsewhere.test' } });
    expect(await failure(collect(named.generate(worker.address, 1)))).toMatchObject({ code: 'ERR_CONNECT_FAILED', cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
    const right = makeClient({ env: { ...SERVER, ...TRUST, DYN_TCP_TLS_SERVER_NAME: 'worker.test' } });
    await expect(collect(right.generate(worker.address, 1))).resolves.toEqual([1]);
    const careless = makeClient({ env: { ...SERVER, DYN_TCP_TLS_INSECURE: 'true' } });
    await expect(collect(careless.generate(worker.address, 1))).resolves.toEqual([1]);
  });

  it('demands a client certificate where a client CA is given', async () => {
    const mutual = { ...SERVER, DYN_TCP_TLS_CLIENT_CA_CERT_PATH: file('client.pem') };
    const identity = { DYN_TCP_TLS_CLIENT_CERT_PATH: file('client.pem'), DYN_TCP_TLS_CLIENT_KEY_PATH: file('client.key') };
    const worker = await serve(echo, { env: { ...mutual, ...TRUST, ...identity } });
    await expect(collect(makeClient({ env: { ...mutual, ...TRUST, ...identity } }).generate(worker.address, 1))).resolves.toEqual([1]);
    expect(await failure(collect(makeClient({ env: { ...SERVER, ...TRUST } }).generate(worker.address, 1)))).toMatchObject({ code: expect.stringMatching(/ERR_CONNECT(ION_CLOSED|_FAILED)/) });
  });

  it('closes a peer that does not shake hands, and closing does not wait for it', async () => {
    const network = tcpNetwork({ tls: { certPath: file('worker.pem'), keyPath: file('worker.key'), handshakeTimeoutMs: 30 }, env: {} });
    const server = new RequestPlaneServer({ network, host: '127.0.0.1', env: {}, logger: false });
    afterTest(() => server.close());
    const { port } = await server.listen();
    const silent = connect(port, '127.0.0.1');
    silent.on('error', () => undefined);
    await once(silent.resume(), 'close');
    const another = connect(port, '127.0.0.1');
    another.on('error', () => undefined);
    await once(another, 'connect');
    await server.close();
  });

  it.each([
    ['a certificate without its key', { DYN_TCP_TLS_CERT_PATH: file('worker.pem') }, 'DYN_TCP_TLS_CERT_PATH'],
    ['a file that is not there', { ...SERVER, DYN_TCP_TLS_KEY_PATH: '/nowhere' }, 'DYN_TCP_TLS_KEY_PATH'],
    ['a client CA without a certificate', { DYN_TCP_TLS_CLIENT_CA_CERT_PATH: file('client.pem') }, 'DYN_TCP_TLS_CLIENT_CA_CERT_PATH'],
    ['a client certificate without trust', { DYN_TCP_TLS_CLIENT_CERT_PATH: file('client.pem'), DYN_TCP_TLS_CLIENT_KEY_PATH: file('client.key') }, 'DYN_TCP_TLS_CLIENT_CERT_PATH'],
  ])('refuses %s at start-up', (_what, env, variable) => {
    expect(() => tcpNetwork({ env })).toThrow(expect.objectContaining({ code: 'ERR_ENV_INVALID', variable }));
  });

  it.each<[string, Record<string, string | undefined>, string, string]>([
    ['a certificate that is none', { certPath: 'junk.pem', keyPath: 'worker.key' }, 'certPath', 'junk.pem'],
    ['a key that is none', { certPath: 'worker.pem', keyPath: 'junk.pem' }, 'keyPath', 'junk.pem'],
    ['the key of another certificate', { certPath: 'worker.pem', keyPath: 'client.key' }, 'keyPath', 'client.key'],
    ['a CA that is none', { caCertPath: 'junk.pem' }, 'caCertPath', 'junk.pem'],
    ['an empty CA', { caCertPath: 'empty.pem' }, 'caCertPath', 'empty.pem'],
    ['a bundle of CAs with one that is broken', { caCertPath: 'bundle.pem' }, 'caCertPath', 'bundle.pem'],
    ['a client CA that is none', { certPath: 'worker.pem', keyPath: 'worker.key', clientCaCertPath: 'junk.pem' }, 'clientCaCertPath', 'junk.pem'],
    ['a client certificate that is none', { caCertPath: 'worker.pem', clientCertPath: 'junk.pem', clientKeyPath: 'client.key' }, 'clientCertPath', 'junk.pem'],
    ['a client key that is none', { caCertPath: 'worker.pem', clientCertPath: 'client.pem', clientKeyPath: 'junk.pem' }, 'clientKeyPath', 'junk.pem'],
  ])('refuses %s at start-up and names the file', (_what, names, option, culprit) => {
    writeFileSync(file('junk.pem'), 'this is no PEM');
    writeFileSync(file('empty.pem'), '');
    writeFileSync(file('bundle.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    const tls = Object.fromEntries(Object.entries(names).map(([key, name]) => [key, file(name!)]));
    expect(() => tcpNetwork({ tls, env: {} })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: `tls.${option}`, file: file(culprit) }));
  });
});
