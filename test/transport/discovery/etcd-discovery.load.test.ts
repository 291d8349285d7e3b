import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { EtcdDiscovery, type EtcdDiscoveryOptions, type Instance } from 'dynamo-tracing/transport';
import { describeWithEtcd, EtcdServer, freePort } from '../../support/etcd-server.js';
import { until } from '../../support/until.js';

const ID = 16674300203437093697n;
const NAME = 'dynamo.backend.generate';
const WORKER = { namespace: 'dynamo', component: 'backend', endpoint: 'generate', instanceId: ID, transport: { tcp: '10.0.0.5:40123/e76703b0d8177341/generate' } } as const;
const KEY = 'dynamo/backend/generate/e76703b0d8177341';
const RECORD = '{"type":"Endpoint","component":"backend","endpoint":"generate","namespace":"dynamo","instance_id":16674300203437093697,"transport":{"tcp":"10.0.0.5:40123/e76703b0d8177341/generate"},"request_plane_codec":"msgpack"}';
/** The id as etcd's signed 64 bits. */
const LEASE = String(BigInt.asIntN(64, ID));

const ids = (instances: readonly Instance[]): bigint[] => instances.map(({ instanceId }) => instanceId);

describeWithEtcd('EtcdDiscovery', () => {
  let etcd: EtcdServer;
  const open: EtcdDiscovery[] = [];
  const warnings: { message: string; fields: Record<string, unknown> }[] = [];
  const logger = { debug: () => undefined, info: () => undefined, error: () => undefined, warn: (fields: object | string, message?: string) => void warnings.push({ message: String(message), fields: fields as Record<string, unknown> }) };

  function discover(options: EtcdDiscoveryOptions = {}): EtcdDiscovery {
    const discovery = new EtcdDiscovery({ endpoints: etcd.url, ttlMs: 2000, logger, env: {}, ...options });
    open.push(discovery);
    return discovery;
  }

  const keys = async (): Promise<string[]> => (await etcd.dump()).map(({ key }) => key);

  beforeAll(async () => {
    etcd = await EtcdServer.start();
  });
  beforeEach(() => {
    warnings.length = 0;
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((discovery) => discovery.close()));
    await etcd.ask('kv/deleterange', { key: 'AA==', range_end: 'AA==' });
  });
  afterAll(() => etcd.stop());

  describe('a record', () => {
    test("has Dynamo's key, unescaped, its content, and a lease of the instance's id", async () => {
      const announcement = await discover().announce(WORKER);
      expect(announcement.path).toBe(`v1/instances/${KEY}`);
      expect(await etcd.dump()).toEqual([{ key: `v1/instances/${KEY}`, value: RECORD, lease: LEASE }]);
    });

    test.each([1n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n])('of id %p is under the lease of the same 64 bits', async (instanceId) => {
      const discovery = discover();
      await discovery.announce({ ...WORKER, instanceId });
      expect(await etcd.dump()).toMatchObject([{ lease: String(BigInt.asIntN(64, instanceId)) }]);
      expect(ids(await discovery.instances(NAME))).toEqual([instanceId]);
    });

    test('of id 0, which is no lease, is under one that etcd chooses', async () => {
      await discover().announce({ ...WORKER, instanceId: 0n });
      const [record] = await etcd.dump();
      expect(record).toMatchObject({ key: 'v1/instances/dynamo/backend/generate/0', lease: expect.not.stringMatching(/^0$/) });
    });

    test('of two endpoints of one worker share its lease, which goes with the last of them', async () => {
      const discovery = discover();
      const first = await discovery.announce(WORKER);
      const second = await discovery.announce({ ...WORKER, endpoint: 'clear' });
      expect((await etcd.dump()).map(({ lease }) => lease)).toEqual([LEASE, LEASE]);
      await first.withdraw();
      expect(await keys()).toEqual(['v1/instances/dynamo/backend/clear/e76703b0d8177341']);
      await second.withdraw();
      expect(await keys()).toEqual([]);
      expect((await etcd.ask('lease/leases', {}))['leases']).toBeUndefined();
    });

    test('is under another lease when a dead process has left one of the same id', async () => {
      await etcd.ask('lease/grant', { TTL: '60', ID: LEASE });
      await discover().announce(WORKER);
      const [record] = await etcd.dump();
      expect(record).toMatchObject({ key: `v1/instances/${KEY}`, lease: expect.not.stringMatching(LEASE) });
      await etcd.ask('lease/revoke', { ID: LEASE });
    });

    test('that another process has announced is refused and stays as it is, and no lease is left over', async () => {
      await discover().announce(WORKER);
      await expect(discover().announce({ ...WORKER, codec: 'json' })).rejects.toMatchObject({ code: 'ERR_DISCOVERY', path: `v1/instances/${KEY}` });
      expect(await etcd.dump()).toEqual([{ key: `v1/instances/${KEY}`, value: RECORD, lease: LEASE }]);
      expect((await etcd.ask('lease/leases', {}))['leases']).toEqual([{ ID: LEASE }]);
    });

    test('is updated in place and goes when it is withdrawn, once', async () => {
      const discovery = discover();
      const announcement = await discovery.announce(WORKER);
      await announcement.update({ codec: 'json' });
      expect(await discovery.instances(NAME)).toEqual([{ ...WORKER, codec: 'json' }]);
      await Promise.all([announcement.withdraw(), announcement.withdraw()]);
      expect(await keys()).toEqual([]);
      await expect(announcement.update({ codec: 'json' })).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
    });

    test('of a model is beside that of its instance, under the same lease, and both go in one step', async () => {
      const announcement = await discover().announceModel(WORKER, { name: 'm' });
      expect(await etcd.dump()).toMatchObject([{ key: `v1/instances/${KEY}`, lease: LEASE }, { key: `v1/mdc/${KEY}`, lease: LEASE, value: expect.stringMatching(/^{"type":"Model",.*"instance_id":16674300203437093697,"card_json":{"display_name":"m",/) }]);
      const before = await etcd.ask('kv/range', { key: 'AA==' }) as { header: { revision: string } };
      await announcement.withdraw();
      const after = await etcd.ask('kv/range', { key: 'AA==' }) as { header: { revision: string } };
      expect(await keys()).toEqual([]);
      expect(BigInt(after.header.revision) - BigInt(before.header.revision)).toBe(1n);
    });

    test('outlives its time to live many times while its process lives', async () => {
      await discover().announce(WORKER);
      const watch = await discover().watch(NAME);
      const changes: unknown[] = [];
      watch.onChange((change) => changes.push(change));
      const seenAt = Date.now();
      await until('three times to live are over', () => Date.now() - seenAt > 6000);
      expect([changes, ids(watch.instances)]).toEqual([[], [ID]]);
    }, 30_000);
  });

  describe('reading', () => {
    test('finds the endpoint that was asked for and no other', async () => {
      const discovery = discover();
      await discovery.announce(WORKER);
      for (const other of [{ endpoint: 'generate2' }, { component: 'prefill' }, { namespace: 'dynamo.more' }]) await discovery.announce({ ...WORKER, ...other });
      expect(ids(await discovery.instances(NAME))).toEqual([ID]);
      expect(ids(await discovery.instances('dynamo.more.backend.generate'))).toEqual([ID]);
      expect(await discovery.instances('no.such.endpoint')).toEqual([]);
    });

    test('skips records of other kinds, and says once what a broken one is', async () => {
      const discovery = discover();
      await etcd.put('v1/instances/dynamo/backend/generate/1', '{"type":"Something"}');
      await etcd.put('v1/instances/dynamo/backend/generate/2', 'not json');
      await etcd.put('v1/instances/dynamo/backend/generate/3', RECORD);
      for (let times = 0; times < 2; times += 1) expect(ids(await discovery.instances(NAME))).toEqual([ID]);
      expect(warnings).toMatchObject([{ message: 'instance record ignored', fields: { path: 'v1/instances/dynamo/backend/generate/2' } }]);
    });

    test('after close is refused', async () => {
      const discovery = discover();
      await discovery.announce(WORKER);
      await Promise.all([discovery.close(), discovery.close()]);
      expect(await keys()).toEqual([]);
      for (const use of [() => discovery.instances(NAME), () => discovery.announce(WORKER), () => discovery.watch(NAME), () => discovery.waitForInstances(NAME)]) {
        await expect(use()).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
      }
    });
  });

  describe('watching', () => {
    test('begins with the list and tells what came, changed and went', async () => {
      const workers = discover();
      const first = await workers.announce(WORKER);
      const watch = await discover().watch(NAME);
      const changes: { added: bigint[]; removed: bigint[]; now: bigint[] }[] = [];
      watch.onChange(({ added, removed, instances }) => void changes.push({ added: ids(added), removed: ids(removed), now: ids(instances) }));
      expect(ids(watch.instances)).toEqual([ID]);
      const second = await workers.announce({ ...WORKER, instanceId: 5n });
      await until('the second is seen', () => changes.length === 1);
      await second.update({ codec: 'json' });
      await until('the change is seen', () => changes.length === 2);
      await first.withdraw();
      await until('the first is gone', () => changes.length === 3);
      expect(changes).toEqual([
        { added: [5n], removed: [], now: [5n, ID] },
        { added: [5n], removed: [5n], now: [5n, ID] },
        { added: [], removed: [ID], now: [5n] },
      ]);
    });

    test('waits for as many as are wanted, and brings every other watch up to date', async () => {
      const discovery = discover();
      const watch = await discovery.watch(NAME);
      const waiting = discovery.waitForInstances(NAME, { count: 2 });
      await discovery.announce(WORKER);
      await discovery.announce({ ...WORKER, instanceId: 1n });
      expect(ids(await waiting)).toEqual([1n, ID]);
      await discovery.waitForInstances(NAME, { count: 2 });
      expect(ids(watch.instances)).toEqual([1n, ID]);
      await expect(discovery.waitForInstances('no.such.endpoint', { timeoutMs: 30 })).rejects.toMatchObject({ code: 'ERR_NO_WORKERS' });
    });

    test('that begins while the last watch of the endpoint is closed is a live one', async () => {
      const discovery = discover();
      const last = await discovery.watch(NAME);
      const beginning = discovery.watch(NAME);
      last.close();
      const watch = await beginning;
      await discovery.announce(WORKER);
      await until('the worker is seen', () => watch.instances.length === 1);
    });

    test('misses nothing of a hundred workers that come and go while others begin to watch', async () => {
      const [workers, reader] = [discover(), discover()];
      const first = await reader.watch(NAME);
      const some = await Promise.all(Array.from({ length: 50 }, (_, i) => workers.announce({ ...WORKER, instanceId: BigInt(i + 1) })));
      const more = await Promise.all([...some.map((announcement) => announcement.withdraw().then(() => undefined)), ...Array.from({ length: 50 }, (_, i) => workers.announce({ ...WORKER, instanceId: BigInt(i + 101) })), ...Array.from({ length: 20 }, () => reader.watch(NAME).then(() => undefined))]);
      await until('all of them and no others', () => first.instances.length === 50 && first.instances.every(({ instanceId }) => instanceId > 100n));
      expect(more.filter((each) => each !== undefined)).toHaveLength(50);
    }, 60_000);

    test('goes on after the member was killed and started again', async () => {
      const watch = await discover().watch(NAME);
      await etcd.kill();
      await until('it is said', () => warnings.length > 0);
      expect(warnings).toMatchObject([{ message: 'instance records not watched', fields: { path: 'v1/instances/dynamo/backend/generate/' } }]);
      await etcd.run();
      await discover().announce(WORKER);
      await until('the new worker is seen', () => watch.instances.length === 1);
    }, 30_000);

    test('keeps its list while etcd is away, and finds what a new and empty cluster holds', async () => {
      for (let puts = 0; puts < 20; puts += 1) await etcd.put('v1/other', String(puts));
      await etcd.put(`v1/instances/${KEY}`, RECORD);
      const watch = await discover().watch(NAME);
      await etcd.kill();
      await until('it is said', () => warnings.length > 0);
      expect(ids(watch.instances)).toEqual([ID]);
      etcd.wipe();
      await etcd.run();
      await until('the old worker is gone', () => watch.instances.length === 0);
      // Its revision is lower than that of the old cluster.
      await etcd.put(`v1/instances/dynamo/backend/generate/5`, RECORD.replace(String(ID), '5'));
      await until('the new worker is seen', () => watch.instances.length === 1);
    }, 30_000);

    test('reads the list anew when what it missed was compacted', async () => {
      await etcd.put(`v1/instances/${KEY}`, RECORD);
      const watch = await discover().watch(NAME);
      await etcd.kill();
      await until('it is said', () => warnings.length > 0);
      await etcd.run();
      await etcd.ask('kv/deleterange', { key: Buffer.from(`v1/instances/${KEY}`).toString('base64') });
      const { header } = await etcd.ask('kv/range', { key: 'AA==' }) as { header: { revision: string } };
      await etcd.ask('kv/compaction', { revision: header.revision, physical: true });
      await until('the worker is gone', () => watch.instances.length === 0);
      await etcd.put('v1/instances/dynamo/backend/generate/6', RECORD.replace(String(ID), '6'));
      await until('the next is seen', () => watch.instances.length === 1);
    }, 30_000);
  });

  describe('a lease', () => {
    test('that was revoked is granted anew with the same id, and all of its records are written again', async () => {
      const discovery = discover();
      await discovery.announceModel(WORKER, { name: 'm' });
      await discovery.announce({ ...WORKER, endpoint: 'clear' });
      const before = await etcd.dump();
      await etcd.ask('lease/revoke', { ID: LEASE });
      expect(await keys()).toEqual([]);
      await until('it is said', () => warnings.length === 2);
      expect(warnings).toMatchObject([{ message: 'instance record was gone and is written again' }, { message: 'instance record was gone and is written again' }]);
      expect(await etcd.dump()).toEqual(before);
    }, 30_000);

    test('that is found lost by an update brings back the card too', async () => {
      const announcement = await discover({ ttlMs: 60_000 }).announceModel(WORKER, { name: 'm' });
      await etcd.ask('lease/revoke', { ID: LEASE });
      await announcement.update({ codec: 'json' });
      await until('it is said', () => warnings.length === 1);
      expect(await etcd.dump()).toMatchObject([{ key: `v1/instances/${KEY}`, lease: LEASE, value: expect.stringContaining('"request_plane_codec":"json"') }, { key: `v1/mdc/${KEY}`, lease: LEASE }]);
    });

    test('outlives an etcd that hangs for longer than its time to live', async () => {
      await discover({ requestTimeoutMs: 200 }).announce(WORKER);
      etcd.pause();
      const since = Date.now();
      try {
        await until('it is said', () => warnings.some(({ message }) => message === 'etcd lease not kept alive'));
        await until('its time to live is over', () => Date.now() - since > 2500);
      } finally {
        etcd.resume();
      }
      // Either etcd has let it live or it is granted anew: what counts is that the record comes to stay.
      const watch = await discover().watch(NAME);
      let there = Date.now();
      watch.onChange(() => (there = Date.now()));
      await until('the record is there for longer than its time to live', () => watch.instances.length === 1 && Date.now() - there > 2500);
    }, 30_000);

    test('comes back with its records after a cluster was set up anew', async () => {
      await discover().announceModel(WORKER, { name: 'm' });
      await etcd.kill();
      etcd.wipe();
      await etcd.run();
      await until('it is said', () => warnings.some(({ message }) => message === 'instance record was gone and is written again'));
      expect((await etcd.dump()).map(({ key, lease }) => [key, lease])).toEqual([[`v1/instances/${KEY}`, LEASE], [`v1/mdc/${KEY}`, LEASE]]);
    }, 30_000);

    test('of a process that was killed expires with its records', async () => {
      const watch = await discover().watch(NAME);
      const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'etcd-process.ts'), etcd.url, 'stay'], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = once(child, 'exit');
      await until('it is seen', () => watch.instances.length === 1);
      child.kill('SIGKILL');
      await ended;
      expect(await keys()).toHaveLength(2);
      await until('it is gone', () => watch.instances.length === 0);
      expect(await keys()).toEqual([]);
    }, 30_000);

    test('and a watch keep no process alive', async () => {
      const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'etcd-process.ts'), etcd.url], { stdio: ['ignore', 'pipe', 'inherit'] });
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
      const [code] = await once(child, 'exit') as [number];
      expect([code, output]).toEqual([0, '77']);
    }, 30_000);
  });

  describe('several members', () => {
    test('are tried in turn: one that is dead is left out', async () => {
      const dead = `http://127.0.0.1:${await freePort()}`;
      const discovery = discover({ endpoints: [dead, etcd.url] });
      const watch = await discovery.watch(NAME);
      await discovery.announce(WORKER);
      await until('it is seen', () => watch.instances.length === 1);
      expect(warnings).toEqual([]);
    });

    test('that are all dead are named, each with its reason', async () => {
      const dead = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
      const failing = discover({ endpoints: dead.join(', ') }).instances(NAME);
      await expect(failing).rejects.toMatchObject({ code: 'ERR_DISCOVERY', endpoints: dead });
      await expect(failing).rejects.toThrow(new RegExp(`${dead[0]} cannot be asked: .*ECONNREFUSED.*; .*${dead[1]}`));
    });

    test('are changed when the one in use hangs', async () => {
      const other = await EtcdServer.start();
      try {
        await other.put(`v1/instances/${KEY}`, RECORD);
        const discovery = discover({ endpoints: [etcd.url, other.url], requestTimeoutMs: 300 });
        expect(await discovery.instances(NAME)).toEqual([]);
        etcd.pause();
        expect(ids(await discovery.instances(NAME))).toEqual([ID]);
      } finally {
        etcd.resume();
        await other.stop();
      }
    }, 30_000);
  });
});
