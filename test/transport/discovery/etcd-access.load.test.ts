import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { discoveryFromEnv, EtcdDiscovery, FileDiscovery, type EtcdDiscoveryOptions } from 'dynamo-tracing/transport';
import { makeCertificate } from '../../support/certificate.js';
import { describeWithEtcd, EtcdServer } from '../../support/etcd-server.js';
import { until } from '../../support/until.js';

const NAME = 'dynamo.backend.generate';
const WORKER = { namespace: 'dynamo', component: 'backend', endpoint: 'generate', instanceId: 5n, transport: { tcp: '127.0.0.1:1/5/generate' } } as const;

const open: EtcdDiscovery[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((discovery) => discovery.close()));
});

function discover(options: EtcdDiscoveryOptions): EtcdDiscovery {
  const discovery = new EtcdDiscovery({ ttlMs: 2000, logger: false, env: {}, ...options });
  open.push(discovery);
  return discovery;
}

describeWithEtcd('etcd with users', () => {
  let etcd: EtcdServer;
  const worker = { username: 'dynamo', password: 'päss: w√rd' };

  /** The token that etcd gives to root. */
  const root = async (): Promise<string> => String((await etcd.ask('auth/authenticate', { name: 'root', password: 'r' }))['token']);

  beforeAll(async () => {
    etcd = await EtcdServer.start();
    for (const name of ['root', 'dynamo']) await etcd.ask('auth/role/add', { name });
    await etcd.ask('auth/role/grant', { name: 'dynamo', perm: { permType: 'READWRITE', key: Buffer.from('v1/').toString('base64'), range_end: Buffer.from('v10').toString('base64') } });
    await etcd.ask('auth/user/add', { name: 'root', password: 'r' });
    await etcd.ask('auth/user/add', { name: worker.username, password: worker.password });
    for (const name of ['root', 'dynamo']) await etcd.ask('auth/user/grant', { user: name, role: name });
    await etcd.ask('auth/enable', {});
  });
  afterAll(() => etcd.stop());

  test('serves a user with a password, from the options or from the variables', async () => {
    const watch = await discover({ endpoints: etcd.url, ...worker }).watch(NAME);
    const announcement = await discover({ env: { ETCD_ENDPOINTS: etcd.url, ETCD_AUTH_USERNAME: worker.username, ETCD_AUTH_PASSWORD: worker.password } }).announceModel(WORKER, { name: 'm' });
    await until('it is seen', () => watch.instances.length === 1);
    await announcement.withdraw();
    await until('it is gone', () => watch.instances.length === 0);
    expect(await etcd.dump(await root())).toEqual([]);
  });

  test.each<[string, object, RegExp]>([
    ['a wrong password', { username: 'dynamo', password: 'wrong' }, /authentication failed/],
    ['no user', {}, /user name is empty/],
  ])('refuses %s', async (_what, user, reason) => {
    const discovery = discover({ endpoints: etcd.url, ...user });
    for (const use of [() => discovery.instances(NAME), () => discovery.announce(WORKER), () => discovery.watch(NAME)]) {
      await expect(use()).rejects.toMatchObject({ code: 'ERR_DISCOVERY', endpoint: etcd.url });
      await expect(use()).rejects.toThrow(reason);
    }
  });

  test('that takes back its tokens, here because the user was given the same password again, is given the password anew', async () => {
    const watcher = discover({ endpoints: etcd.url, ...worker });
    const workers = discover({ endpoints: etcd.url, ...worker });
    const watch = await watcher.watch(NAME);
    const announcement = await workers.announce(WORKER);
    await until('it is seen', () => watch.instances.length === 1);
    const takeBack = async (): Promise<unknown> => etcd.ask('auth/user/changepw', { name: worker.username, password: worker.password }, await root());
    await takeBack();
    await announcement.update({ codec: 'json' });
    await until('the change is seen', () => watch.instances[0]?.codec === 'json');
    expect(await watcher.instances(NAME)).toHaveLength(1);
    await takeBack();
    await etcd.kill();
    await etcd.run();
    await announcement.update({ codec: 'msgpack' });
    await until('the change is seen after a restart', () => watch.instances[0]?.codec === 'msgpack');
  }, 30_000);
});

describeWithEtcd('etcd with TLS and client certificates', () => {
  let etcd: EtcdServer;
  let directory: string;
  const path = (name: string): string => join(directory, name);
  const client = (): EtcdDiscoveryOptions => ({ endpoints: etcd.url, ca: path('server.pem'), cert: path('client.pem'), key: path('client.key') });

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'etcd-tls-'));
    const [server, own] = [makeCertificate(), makeCertificate()];
    for (const [name, pem] of Object.entries({ 'server.pem': server.cert, 'server.key': server.key, 'client.pem': own.cert, 'client.key': own.key, 'ca.pem': server.cert + own.cert })) writeFileSync(path(name), pem);
    // etcd's gateway is a client of etcd too, with the server's certificate.
    etcd = await EtcdServer.start({ cert: path('server.pem'), key: path('server.key'), clientCa: path('ca.pem') });
  });
  afterAll(async () => {
    await etcd.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  test('serves who shows a certificate, from files or as PEM text in the variables', async () => {
    const watch = await discover(client()).watch(NAME);
    const text = (name: string): string => readFileSync(path(name), 'utf8');
    await discover({ env: { ETCD_ENDPOINTS: etcd.url, ETCD_AUTH_CA: text('server.pem'), ETCD_AUTH_CLIENT_CERT: text('client.pem'), ETCD_AUTH_CLIENT_KEY: text('client.key') } }).announce(WORKER);
    await until('it is seen', () => watch.instances.length === 1);
  });

  test('refuses who shows none', async () => {
    await expect(discover({ endpoints: etcd.url, ca: path('server.pem') }).instances(NAME)).rejects.toMatchObject({ code: 'ERR_DISCOVERY', endpoint: etcd.url });
  });

  test('is refused when its certificate is of another CA, unless that does not count', async () => {
    const options = { ...client(), ca: path('client.pem') };
    await expect(discover(options).instances(NAME)).rejects.toMatchObject({ code: 'ERR_DISCOVERY', message: expect.stringMatching(/self-signed certificate/) });
    expect(await discover({ ...options, insecure: true }).instances(NAME)).toEqual([]);
  });
});

describe('options of EtcdDiscovery', () => {
  test.each<[unknown, string]>([
    [{ endpoints: '' }, 'etcdDiscovery.endpoints'],
    [{ endpoints: ',' }, 'etcdDiscovery.endpoints'],
    [{ endpoints: [] }, 'etcdDiscovery.endpoints'],
    [{ endpoints: 5 }, 'etcdDiscovery.endpoints'],
    [{ endpoints: 'ftp://a:1' }, 'etcdDiscovery.endpoints'],
    [{ endpoints: 'http://a:1,http://' }, 'etcdDiscovery.endpoints'],
    [{ rescanMs: 19 }, 'etcdDiscovery.rescanMs'],
    [{ ttlMs: 1999 }, 'etcdDiscovery.ttlMs'],
    [{ requestTimeoutMs: 0 }, 'etcdDiscovery.requestTimeoutMs'],
    [{ username: 'u' }, 'etcdDiscovery.username'],
    [{ password: 'p' }, 'etcdDiscovery.password'],
    [{ cert: '/nowhere' }, 'etcdDiscovery.cert'],
    [{ cert: '/nowhere', key: '/nowhere' }, 'etcdDiscovery.cert'],
    [{ ca: '-----BEGIN nothing' }, 'etcdDiscovery.ca'],
    [{ url: 'http://a:1' }, 'etcdDiscovery.url'],
  ])('%p is refused', (options, path) => {
    expect(() => new EtcdDiscovery({ env: {}, ...(options as object) })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path }));
  });

  test.each<[Record<string, string>, string]>([
    [{ ETCD_ENDPOINTS: 'unix:///run/etcd' }, 'ETCD_ENDPOINTS'],
    [{ ETCD_AUTH_USERNAME: 'u' }, 'ETCD_AUTH_USERNAME'],
    [{ ETCD_AUTH_CA: '/nowhere/ca.pem' }, 'ETCD_AUTH_CA'],
    [{ ETCD_AUTH_CLIENT_KEY: '/nowhere/key.pem' }, 'ETCD_AUTH_CLIENT_KEY'],
  ])('%p is refused by the name of the variable', (env, variable) => {
    expect(() => new EtcdDiscovery({ env })).toThrow(expect.objectContaining({ code: 'ERR_ENV_INVALID', variable }));
  });

  test('a certificate that does not fit its key is refused by the key', () => {
    const [one, other] = [makeCertificate(), makeCertificate()];
    expect(() => new EtcdDiscovery({ env: {}, cert: one.cert, key: other.key })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'etcdDiscovery.key' }));
  });

  test('neither a password nor a key is in an error', () => {
    const { cert } = makeCertificate();
    expect.assertions(1);
    try {
      new EtcdDiscovery({ env: {}, cert, key: '-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----' });
    } catch (error) {
      expect((error as Error).message).not.toContain('secret');
    }
  });
});

describe('discoveryFromEnv', () => {
  test('opens what DYN_DISCOVERY_BACKEND names, and etcd without it, as Dynamo does', () => {
    expect(discoveryFromEnv({ env: { DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: '/some/root' } })).toMatchObject({ root: '/some/root' });
    expect(discoveryFromEnv({ env: { DYN_DISCOVERY_BACKEND: 'file' } })).toBeInstanceOf(FileDiscovery);
    for (const env of [{ DYN_DISCOVERY_BACKEND: 'etcd' }, { DYN_DISCOVERY_BACKEND: '' }, {}]) expect(discoveryFromEnv({ env })).toBeInstanceOf(EtcdDiscovery);
  });

  test.each([['kubernetes', /docs\/discovery\.md/], ['mem', /this process alone/], ['consul', /'etcd' or 'file'/], ['File', /'etcd' or 'file'/]])('refuses %p and says why', (backend, why) => {
    const opening = (): unknown => discoveryFromEnv({ env: { DYN_DISCOVERY_BACKEND: backend } });
    expect(opening).toThrow(expect.objectContaining({ code: 'ERR_ENV_INVALID', variable: 'DYN_DISCOVERY_BACKEND' }));
    expect(opening).toThrow(why);
  });

  test('refuses options that it does not have', () => {
    expect(() => discoveryFromEnv({ backend: 'file' } as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: 'discoveryFromEnv.backend' }));
  });
});
