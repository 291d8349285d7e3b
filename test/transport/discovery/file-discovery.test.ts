import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileDiscovery, type FileDiscoveryOptions, type Instance } from '../../../src/transport/discovery/index.js';
import { newInstanceId } from '../../../src/transport/discovery/record.js';
import { until } from '../../support/until.js';

const ID = 1666583245372125727n;
const WORKER = { namespace: 'dynamo', component: 'backend', endpoint: 'generate', instanceId: ID, transport: { tcp: '10.0.0.5:40123/17216e63492ef21f/generate' } } as const;
const NAME = 'dynamo.backend.generate';
const GOLDEN_FILE = 'dynamo%2Fbackend%2Fgenerate%2F1720e4a1b905f21f';
const GOLDEN = '{"type":"Endpoint","component":"backend","endpoint":"generate","namespace":"dynamo","instance_id":1666583245372125727,"transport":{"tcp":"10.0.0.5:40123/17216e63492ef21f/generate"},"device_type":"cpu","request_plane_codec":"msgpack"}';

let root: string;
let directory: string;
const open: FileDiscovery[] = [];
const warnings: { message: string; fields: Record<string, unknown> }[] = [];
const logger = { debug: () => undefined, info: () => undefined, error: () => undefined, warn: (fields: object | string, message?: string) => void warnings.push({ message: String(message), fields: fields as Record<string, unknown> }) };

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dynamo-kv-'));
  directory = join(root, 'v1', 'instances');
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((discovery) => discovery.close()));
  rmSync(root, { recursive: true, force: true });
  warnings.length = 0;
});

function discover(options: FileDiscoveryOptions = {}): FileDiscovery {
  const discovery = new FileDiscovery({ root, logger, ...options });
  open.push(discovery);
  return discovery;
}

/** Puts a file there as Dynamo does: whole or not at all. */
function put(fileName: string, content: string | Buffer): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, fileName);
  const temporary = join(directory, '.tmp_00000000deadbeef');
  writeFileSync(temporary, content);
  renameSync(temporary, path);
  return path;
}

function age(path: string, seconds: number): void {
  const then = new Date(Date.now() - seconds * 1000);
  utimesSync(path, then, then);
}

/** A clock that tells how often it was read: every reading of the store begins with it, and one ends before the next begins. */
function readings(clock: () => number = Date.now): { readonly now: () => number; whole: (what: string) => Promise<void> } {
  let count = 0;
  return {
    now: () => {
      count += 1;
      return clock();
    },
    whole: (what) => {
      const enough = count + 2;
      return until(what, () => count >= enough);
    },
  };
}

const ids = (instances: readonly Instance[]): bigint[] => instances.map(({ instanceId }) => instanceId);

describe('a record in the store', () => {
  test('has the name and the bytes that Dynamo gives it', async () => {
    await discover().announce({ ...WORKER, deviceType: 'cpu', codec: 'msgpack' });
    expect(readdirSync(directory)).toEqual([GOLDEN_FILE]);
    expect(readFileSync(join(directory, GOLDEN_FILE), 'utf8')).toBe(GOLDEN);
  });

  test('escapes every byte of its name that is no ASCII letter or digit', async () => {
    const discovery = discover();
    await discovery.announce({ ...WORKER, namespace: 'my-ns_1.sub', component: 'größe', instanceId: 1n });
    expect(readdirSync(directory)).toEqual(['my%2Dns%5F1%2Esub%2Fgr%C3%B6%C3%9Fe%2Fgenerate%2F1']);
    expect(ids(await discovery.instances('my-ns_1.sub.größe.generate'))).toEqual([1n]);
  });

  test('is read as Dynamo wrote it, with the id exact', async () => {
    put(GOLDEN_FILE, GOLDEN);
    expect(await discover().instances(NAME)).toEqual([{ ...WORKER, deviceType: 'cpu', codec: 'msgpack' }]);
  });

  test('counts for what it holds, whatever id its name has', async () => {
    put('dynamo%2Fbackend%2Fgenerate%2F17216e63492ef21f', GOLDEN);
    expect(ids(await discover().instances(NAME))).toEqual([ID]);
  });

  test.each([0n, 1n, 2n ** 53n - 1n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])('keeps id %p exact both ways', async (instanceId) => {
    const discovery = discover();
    await discovery.announce({ ...WORKER, instanceId });
    expect(readFileSync(join(directory, `dynamo%2Fbackend%2Fgenerate%2F${instanceId.toString(16)}`), 'utf8')).toContain(`"instance_id":${instanceId},`);
    expect(ids(await discovery.instances(NAME))).toEqual([instanceId]);
  });

  test('without a codec stands for json, and may name a NATS subject and neither device nor codec', async () => {
    put('dynamo%2Fbackend%2Fgenerate%2F2a', '{"type":"Endpoint","component":"backend","endpoint":"generate","namespace":"dynamo","instance_id":42,"transport":{"nats_tcp":"dynamo_backend.generate-2a"}}');
    expect(await discover().instances(NAME)).toEqual([{ namespace: 'dynamo', component: 'backend', endpoint: 'generate', instanceId: 42n, transport: { nats_tcp: 'dynamo_backend.generate-2a' }, codec: 'json' }]);
  });

  test('gets a random 64-bit id when none is given', async () => {
    const { instance } = await discover().announce({ namespace: 'a', component: 'b', endpoint: 'c', transport: { tcp: '127.0.0.1:1/x' } });
    expect(instance.instanceId).toBeGreaterThan(0n);
    expect(new Set(Array.from({ length: 100 }, newInstanceId)).size).toBe(100);
  });
});

describe('reading', () => {
  test('of a store that does not exist finds nothing and makes nothing', async () => {
    expect(await discover({ root: join(root, 'nowhere') }).instances(NAME)).toEqual([]);
    expect(readdirSync(root)).toEqual([]);
  });

  test('finds the endpoint that was asked for and no other', async () => {
    const discovery = discover();
    await discovery.announce(WORKER);
    await discovery.announce({ ...WORKER, instanceId: 5n });
    await discovery.announce({ ...WORKER, endpoint: 'generate2', instanceId: 6n });
    await discovery.announce({ ...WORKER, component: 'prefill', instanceId: 7n });
    expect(ids(await discovery.instances(NAME))).toEqual([5n, ID]);
    expect(ids(await discovery.instances({ namespace: 'dynamo', component: 'prefill', endpoint: 'generate' }))).toEqual([7n]);
  });

  test.each([
    ['a temporary file', '.tmp_0123456789abcdef', GOLDEN, 0],
    ['a name that is no key', 'README', GOLDEN, 0],
    ['a name that cannot be decoded', 'dynamo%2Fbackend%2Fgenerate%2F%zz', GOLDEN, 0],
    ['a model', GOLDEN_FILE, GOLDEN.replace('Endpoint', 'Model'), 0],
    ['a type of tomorrow', GOLDEN_FILE, GOLDEN.replace('Endpoint', 'Quantum'), 0],
    ['an unknown transport', GOLDEN_FILE, GOLDEN.replace('"tcp"', '"http"'), 0],
    ['an unknown codec', GOLDEN_FILE, GOLDEN.replace('"msgpack"', '"cbor"'), 0],
    ['an address that is none', GOLDEN_FILE, GOLDEN.replace('10.0.0.5:40123/', 'nowhere/'), 1],
    ['an empty file', GOLDEN_FILE, '', 1],
    ['half a record', GOLDEN_FILE, GOLDEN.slice(0, 100), 1],
    ['bytes that are no UTF-8', GOLDEN_FILE, Buffer.from([0x7b, 0xff, 0xfe]), 1],
    ['an array', GOLDEN_FILE, '[]', 1],
    ['a namespace that is no text', GOLDEN_FILE, GOLDEN.replace('"dynamo"', '5'), 1],
    ['a component that is no text', GOLDEN_FILE, GOLDEN.replace('"backend"', 'null'), 1],
    ['a record without an endpoint', GOLDEN_FILE, GOLDEN.replace('"endpoint":"generate",', ''), 1],
    ['an id over 64 bits', GOLDEN_FILE, GOLDEN.replace('1666583245372125727', '18446744073709551616'), 1],
    ['a negative id', GOLDEN_FILE, GOLDEN.replace('1666583245372125727', '-1'), 1],
    ['a record of another endpoint', 'dynamo%2Fbackend%2Fgenerate%2F1', GOLDEN.replace('"generate"', '"other"'), 0],
    ['a file too large for a record', GOLDEN_FILE, GOLDEN + ' '.repeat(65_536), 0],
  ])('passes over %s', async (_title, fileName, content, complaints) => {
    put('dynamo%2Fbackend%2Fgenerate%2F9', GOLDEN.replace('1666583245372125727', '9'));
    const path = fileName.startsWith('.tmp_') ? join(directory, fileName) : put(fileName, content);
    if (fileName.startsWith('.tmp_')) writeFileSync(path, content);
    const discovery = discover();
    expect(ids(await discovery.instances(NAME))).toEqual([9n]);
    await discovery.instances(NAME);
    expect(warnings.map(({ fields }) => fields['path'])).toEqual(Array.from({ length: complaints }, () => path));
  });

  test('passes over a directory that is named like a record', async () => {
    mkdirSync(join(directory, GOLDEN_FILE), { recursive: true });
    expect(await discover().instances(NAME)).toEqual([]);
  });

  test('ignores what nobody touched for longer than the time to live, and removes nothing', async () => {
    const fresh = put(GOLDEN_FILE, GOLDEN);
    const stale = put('dynamo%2Fbackend%2Fgenerate%2F9', GOLDEN.replace('1666583245372125727', '9'));
    age(fresh, 8);
    age(stale, 12);
    expect(ids(await discover().instances(NAME))).toEqual([ID]);
    expect(ids(await discover({ ttlMs: 15_000 }).instances(NAME))).toEqual([9n, ID]);
    expect(ids(await discover({ now: () => Date.now() + 20_000 }).instances(NAME))).toEqual([]);
    expect(readdirSync(directory)).toHaveLength(2);
  });

  test('of a store that cannot be read is ERR_DISCOVERY with path and cause', async () => {
    mkdirSync(join(root, 'v1'));
    writeFileSync(directory, 'no directory');
    await expect(discover().instances(NAME)).rejects.toMatchObject({ code: 'ERR_DISCOVERY', path: directory, cause: { code: 'ENOTDIR' } });
    await expect(discover().announce(WORKER)).rejects.toMatchObject({ code: 'ERR_DISCOVERY', path: directory });
  });

  test.each(['', 'dynamo', 'dynamo.backend', 'dynamo..generate', 'dynamo.back/end.generate', { namespace: 'a', component: '', endpoint: 'c' }])('refuses %p as an endpoint', async (name) => {
    await expect(discover().instances(name)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path: 'endpoint' });
  });

  test.each([
    ['an id that is a number', { ...WORKER, instanceId: 5 }, 'instance.instanceId'],
    ['an id over 64 bits', { ...WORKER, instanceId: 2n ** 64n }, 'instance.instanceId'],
    ['two transports', { ...WORKER, transport: { tcp: 'a', nats_tcp: 'b' } }, 'instance.transport'],
    ['no transport', { ...WORKER, transport: {} }, 'instance.transport'],
    ['a codec that does not exist', { ...WORKER, codec: 'cbor' }, 'instance.codec'],
  ])('refuses to announce %s', async (_title, draft, path) => {
    await expect(discover().announce(draft as never)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path });
  });
});

describe('announcing', () => {
  test('never shows a reader half a record, whatever comes between', async () => {
    const discovery = discover();
    const announcement = await discovery.announce(WORKER);
    const seen = new Set<string>();
    let writing = true as boolean;
    const reader = (async () => {
      while (writing) {
        const text = readFileSync(announcement.path, 'utf8');
        expect(JSON.parse(text)).toMatchObject({ type: 'Endpoint', namespace: 'dynamo' });
        seen.add(text);
        await new Promise(setImmediate);
      }
    })();
    for (let port = 1; port <= 100; port += 1) await announcement.update({ transport: { tcp: `127.0.0.1:${port}/${'x'.repeat(2000)}` } });
    writing = false;
    await reader;
    expect(seen.size).toBeGreaterThan(1);
    expect(readdirSync(directory)).toEqual([GOLDEN_FILE]);
  });

  test('makes a new record by linking and changes it by renaming: the Linux watcher of Dynamo sees both', async () => {
    const discovery = discover();
    const announcement = await discovery.announce(WORKER);
    const first = statSync(announcement.path);
    expect(first.nlink).toBe(1);
    await announcement.update({ codec: 'msgpack', deviceType: 'cuda' });
    expect(statSync(announcement.path).ino).not.toBe(first.ino);
    expect(await discovery.instances(NAME)).toEqual([{ ...WORKER, codec: 'msgpack', deviceType: 'cuda' }]);
  });

  test('what another live process has announced is refused and left as it is', async () => {
    await discover().announce(WORKER);
    await expect(discover().announce({ ...WORKER, codec: 'msgpack' })).rejects.toMatchObject({ code: 'ERR_DISCOVERY', path: join(directory, GOLDEN_FILE) });
    expect(await discover().instances(NAME)).toEqual([{ ...WORKER, codec: 'msgpack' }]);
    expect(readdirSync(directory)).toEqual([GOLDEN_FILE]);
  });

  test('takes the place of a dead process of the same id', async () => {
    age(put(GOLDEN_FILE, GOLDEN), 60);
    const discovery = discover();
    await discovery.announce({ ...WORKER, transport: { tcp: '127.0.0.1:1/new' } });
    expect((await discovery.instances(NAME))[0]?.transport).toEqual({ tcp: '127.0.0.1:1/new' });
  });

  test('touches its files, and only its own, every third of the time to live', async () => {
    const foreign = put('dynamo%2Fbackend%2Fgenerate%2F9', GOLDEN.replace('1666583245372125727', '9'));
    const announcement = await discover({ ttlMs: 1000 }).announce(WORKER);
    age(announcement.path, 30);
    age(foreign, 30);
    await until('the file is touched', () => Date.now() - statSync(announcement.path).mtimeMs < 10_000);
    expect(Date.now() - statSync(foreign).mtimeMs).toBeGreaterThan(20_000);
    expect(readdirSync(directory)).toContain(GOLDEN_FILE);
  });

  test('writes its record again when another process took it for dead, and says so', async () => {
    const announcement = await discover({ ttlMs: 1000 }).announce(WORKER);
    unlinkSync(announcement.path);
    await until('the file is back', () => readdirSync(directory).includes(GOLDEN_FILE));
    await until('it is said', () => warnings.length > 0);
    expect(warnings[0]).toMatchObject({ message: 'instance record was gone and is written again', fields: { path: announcement.path } });
  });

  test('withdraws once, and nothing brings the record back', async () => {
    const discovery = discover({ ttlMs: 1000 });
    const announcement = await discovery.announce(WORKER);
    const keeping = announcement.keepAlive();
    await Promise.all([announcement.withdraw(), announcement.withdraw(), announcement.keepAlive(), keeping]);
    await announcement.keepAlive();
    expect(readdirSync(directory)).toEqual([]);
    await expect(announcement.update({ codec: 'json' })).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
    await discovery.announce(WORKER);
    expect(readdirSync(directory)).toEqual([GOLDEN_FILE]);
  });

  test('removes its own files on close and leaves the others', async () => {
    const mine = discover();
    await mine.announce(WORKER);
    await mine.announce({ ...WORKER, instanceId: 5n });
    await discover().announce({ ...WORKER, instanceId: 6n });
    await Promise.all([mine.close(), mine.close()]);
    expect(readdirSync(directory)).toEqual(['dynamo%2Fbackend%2Fgenerate%2F6']);
    for (const use of [() => mine.instances(NAME), () => mine.announce(WORKER), () => mine.watch(NAME), () => mine.waitForInstances(NAME)]) {
      await expect(use()).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
    }
  });
});

describe('options', () => {
  test.each([
    [{ ttlMs: 999 }, 'fileDiscovery.ttlMs'],
    [{ rot: '/tmp' }, 'fileDiscovery.rot'],
    [{ root: 5 }, 'fileDiscovery.root'],
    [{ rescanMs: 0 }, 'fileDiscovery.rescanMs'],
  ])('%p is refused', (options, path) => {
    expect(() => new FileDiscovery(options as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path }));
  });

  test('the root is the option, else DYN_FILE_KV, else a folder of the temporary directory', () => {
    const before = process.env['DYN_FILE_KV'];
    try {
      process.env['DYN_FILE_KV'] = '/from/env';
      expect(new FileDiscovery({ root: '/given' }).root).toBe('/given');
      expect(new FileDiscovery().root).toBe('/from/env');
      delete process.env['DYN_FILE_KV'];
      expect(new FileDiscovery({}).root).toBe(join(tmpdir(), 'dynamo_store_kv'));
    } finally {
      if (before === undefined) delete process.env['DYN_FILE_KV'];
      else process.env['DYN_FILE_KV'] = before;
    }
  });
});

describe('watching', () => {
  test('begins with the list and tells what came, changed and went', async () => {
    const workers = discover();
    const first = await workers.announce(WORKER);
    const watch = await discover({ rescanMs: 60_000 }).watch(NAME);
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
    expect(watch.instances.map(({ codec }) => codec)).toEqual(['json']);
  });

  test('sees a store that is made, removed and made again', async () => {
    const watch = await discover({ rescanMs: 50 }).watch(NAME);
    rmSync(join(root, 'v1'), { recursive: true });
    put(GOLDEN_FILE, GOLDEN);
    await until('the worker is seen', () => watch.instances.length === 1);
    rmSync(join(root, 'v1'), { recursive: true });
    await until('it is gone', () => watch.instances.length === 0);
    put(GOLDEN_FILE, GOLDEN);
    await until('it is back', () => watch.instances.length === 1);
  });

  test('sees expiry, which is no event of the file system', async () => {
    const path = put(GOLDEN_FILE, GOLDEN);
    const watch = await discover({ rescanMs: 20 }).watch(NAME);
    expect(watch.instances).toHaveLength(1);
    age(path, 11);
    await until('it expired', () => watch.instances.length === 0);
    age(path, 0);
    await until('it was touched', () => watch.instances.length === 1);
  });

  test('takes a keep-alive for no change', async () => {
    const path = put(GOLDEN_FILE, GOLDEN);
    const { now, whole } = readings();
    const watch = await discover({ rescanMs: 20, now }).watch(NAME);
    const changes: unknown[] = [];
    watch.onChange((change) => changes.push(change));
    for (let touches = 0; touches < 5; touches += 1) {
      age(path, touches);
      await whole('the store was read');
    }
    put('dynamo%2Fbackend%2Fgenerate%2F9', GOLDEN.replace('1666583245372125727', '9'));
    await until('the other is seen', () => changes.length > 0);
    expect(changes).toMatchObject([{ added: [{ instanceId: 9n }], removed: [] }]);
  });

  test('iterates over lists, the newest when the consumer was slow, and ends with close', async () => {
    const workers = discover();
    const watch = await discover().watch(NAME);
    const lists = watch[Symbol.asyncIterator]();
    expect((await lists.next()).value).toEqual([]);
    const next = lists.next();
    await workers.announce(WORKER);
    expect(ids((await next).value as Instance[])).toEqual([ID]);
    await workers.announce({ ...WORKER, instanceId: 1n });
    await workers.announce({ ...WORKER, instanceId: 2n });
    await until('both are seen', () => watch.instances.length === 3);
    expect(ids((await lists.next()).value as Instance[])).toEqual([1n, 2n, ID]);
    const last = lists.next();
    watch.close();
    expect(await last).toEqual({ done: true, value: undefined });
    expect(watch.instances).toHaveLength(3);
  });

  test('a listener that throws harms neither the watch nor the other listeners', async () => {
    const warning = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const watch = await discover().watch(NAME);
    const seen: number[] = [];
    watch.onChange(() => {
      throw new Error('mine');
    });
    watch.onChange(({ instances }) => seen.push(instances.length));
    put(GOLDEN_FILE, GOLDEN);
    await until('it is seen', () => seen.length === 1);
    warning.mockRestore();
  });

  test('a store that cannot be read for a while keeps the list and warns once', async () => {
    // Links are replaced in one step: a store that is missing for a moment is another thing.
    const lead = (to: string): void => {
      symlinkSync(to, `${directory}.next`);
      renameSync(`${directory}.next`, directory);
    };
    mkdirSync(`${directory}.store`, { recursive: true });
    writeFileSync(`${directory}.file`, 'no directory');
    lead(`${directory}.store`);
    put(GOLDEN_FILE, GOLDEN);
    const { now, whole } = readings();
    const watch = await discover({ rescanMs: 50, now }).watch(NAME);
    lead(`${directory}.file`);
    await until('it is said', () => warnings.length > 0);
    await whole('it was tried again');
    expect(warnings).toMatchObject([{ message: 'instance records not read', fields: { path: directory } }]);
    expect(watch.instances).toHaveLength(1);
    lead(`${directory}.store`);
    put('dynamo%2Fbackend%2Fgenerate%2F8', GOLDEN.replace('1666583245372125727', '8'));
    await until('it goes on', () => watch.instances.length === 2);
  });
});

describe('waiting for instances', () => {
  test('gives those that are there at once', async () => {
    const discovery = discover();
    await discovery.announce(WORKER);
    expect(ids(await discovery.waitForInstances(NAME))).toEqual([ID]);
  });

  test('waits for as many as are wanted', async () => {
    const discovery = discover();
    const waiting = discovery.waitForInstances(NAME, { count: 2 });
    await discovery.announce(WORKER);
    await discovery.announce({ ...WORKER, instanceId: 1n });
    expect(ids(await waiting)).toEqual([1n, ID]);
  });

  test('brings every other watch of the endpoint up to date', async () => {
    const discovery = discover({ rescanMs: 60_000 });
    const watch = await discovery.watch(NAME);
    await discovery.announce(WORKER);
    await discovery.waitForInstances(NAME);
    expect(ids(watch.instances)).toEqual([ID]);
  });

  test('ends with ERR_NO_WORKERS after its timeout', async () => {
    await expect(discover().waitForInstances(NAME, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'ERR_NO_WORKERS', endpoint: NAME, timeoutMs: 30, found: 0, wanted: 1 });
  });

  test('ends with ERR_CANCELLED when it is aborted, before and while it waits', async () => {
    const controller = new AbortController();
    const waiting = discover().waitForInstances(NAME, { signal: controller.signal });
    const reason = new Error('enough');
    setImmediate(() => controller.abort(reason));
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_CANCELLED', cause: reason });
    await expect(discover().waitForInstances(NAME, { signal: controller.signal })).rejects.toMatchObject({ code: 'ERR_CANCELLED' });
  });

  test('ends with ERR_CLIENT_CLOSED when discovery is closed', async () => {
    const { now, whole } = readings();
    const discovery = discover({ rescanMs: 20, now });
    const waiting = discovery.waitForInstances(NAME);
    const outcome = expect(waiting).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
    await whole('it waits');
    await discovery.close();
    await outcome;
  });
});

describe('two processes', () => {
  test('see each other, and one that is killed disappears after the time to live', async () => {
    const TTL_MS = 1500;
    const path = join(directory, `${GOLDEN_FILE.slice(0, GOLDEN_FILE.lastIndexOf('%2F'))}%2F${'f'.repeat(16)}`);
    const touched = (): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    // The time at the last touch: a process that this busy machine holds up is not dead.
    let clock = touched;
    const { now, whole } = readings(() => clock());
    const watch = await discover({ rescanMs: 50, ttlMs: TTL_MS, now }).watch(NAME);
    const child = spawn(process.execPath, ['-e', CHILD, root], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await until('the other process is seen', () => watch.instances.length === 1);
      const first = touched();
      expect(watch.instances).toMatchObject([{ instanceId: 2n ** 64n - 1n, transport: { tcp: '127.0.0.1:9/ff/generate' } }]);
      await until('it has been touched for longer than the time to live', () => touched() - first > TTL_MS);
      await whole('the store was read');
      expect(watch.instances).toHaveLength(1);
    } finally {
      child.kill('SIGKILL');
    }
    await once(child, 'exit');
    clock = Date.now;
    await until('it is gone', () => watch.instances.length === 0);
    expect(readdirSync(directory)).toHaveLength(1);
  });

  test('announcing and watching keep no process alive', async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'idle-process.ts'), root], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    const [code] = await once(child, 'exit') as [number];
    expect([code, output]).toEqual([0, '77']);
  }, 20_000);
});

/** A worker of another make: writes its record by temp file and link, and touches it. */
const CHILD = `
const fs = require('fs'), path = require('path');
const dir = path.join(process.argv[1], 'v1', 'instances');
const file = path.join(dir, 'dynamo%2Fbackend%2Fgenerate%2Fffffffffffffffff');
fs.mkdirSync(dir, { recursive: true });
fs.writeFileSync(path.join(dir, '.tmp_00000000000000aa'), '{"type":"Endpoint","component":"backend","endpoint":"generate","namespace":"dynamo","instance_id":18446744073709551615,"transport":{"tcp":"127.0.0.1:9/ff/generate"}}');
fs.linkSync(path.join(dir, '.tmp_00000000000000aa'), file);
fs.unlinkSync(path.join(dir, '.tmp_00000000000000aa'));
setInterval(() => fs.utimesSync(file, new Date(), new Date()), 300);
`;
