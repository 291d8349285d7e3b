/** `models` reads what `announceModel` writes and what Dynamo writes, from both stores. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdDiscovery, FileDiscovery, type Discovery } from 'dynamo-tracing/transport';
import { fileNameOf } from '../../../src/transport/discovery/record.js';
import { describeWithEtcd, EtcdServer } from '../../support/etcd-server.js';

const NAME = 'dynamo.backend.generate';
const ID = 16674300203437093697n;
const WORKER = { namespace: 'dynamo', component: 'backend', endpoint: 'generate', instanceId: ID, address: 'tcp://127.0.0.1:37217/e76703b0d8177341/generate' } as const;
/** What Dynamo 1.6.1's mocker writes, cut at what is not read here. */
const card = (fields: object = {}): object => ({
  display_name: 'Qwen/Qwen3-0.6B', slug: 'qwen_qwen3-0_6b', kv_cache_block_size: 16, migration_limit: 0, model_type: 'Chat | Completions', model_input: 'Tokens', worker_type: 'aggregated', needs: [], ...fields,
});
/** The record of a card, as Dynamo orders it. */
const record = (fields: object = {}, cardFields?: object): string => JSON.stringify({ type: 'Model', namespace: 'dynamo', component: 'backend', endpoint: 'generate', instance_id: 1, card_json: card(cardFields), ...fields });

interface Store {
  readonly warnings: { readonly message: string; readonly fields: Record<string, unknown> }[];
  discover(): Discovery;
  /** Writes a record of `mdc` as another process does. */
  write(key: string, content: string): Promise<void> | void;
}

function models(store: () => Store): void {
  let discovery: Discovery;
  beforeEach(() => {
    discovery = store().discover();
  });
  afterEach(() => discovery.close());

  test('of a store where nothing was announced: none', async () => {
    expect(await discovery.models(NAME)).toEqual([]);
    await discovery.announce(WORKER);
    expect(await discovery.models(NAME)).toEqual([]);
  });

  test('that were announced here are what was announced, until they are withdrawn', async () => {
    const announcement = await discovery.announceModel(WORKER, { name: 'My Model/1', types: ['chat', 'embedding'] });
    await discovery.announceModel({ ...WORKER, instanceId: 7n }, { name: 'other' });
    await discovery.announceModel({ ...WORKER, endpoint: 'elsewhere' }, { name: 'elsewhere' });
    const mine = { namespace: 'dynamo', component: 'backend', endpoint: 'generate', instanceId: ID, name: 'My Model/1', input: 'text', types: ['chat', 'embedding'] };
    const other = { ...mine, instanceId: 7n, name: 'other', types: ['chat', 'completions'] };
    expect(await discovery.models(NAME)).toEqual([other, mine]);
    await announcement.withdraw();
    expect(await discovery.models(NAME)).toEqual([other]);
  });

  test("of Dynamo's workers have their words in lower case, and an adapter of a model is a model too", async () => {
    await store().write('dynamo/backend/generate/1', record());
    await store().write('dynamo/backend/generate/2', record({ instance_id: 2 }, { display_name: 't', model_input: 'Tensor', model_type: 'TensorBased', user_data: 'x'.repeat(100_000) }));
    await store().write('dynamo/backend/generate/2/a7', record({ instance_id: 2, model_suffix: 'a7' }, { display_name: 'lora' }));
    expect(await discovery.models(NAME)).toMatchObject([
      { instanceId: 1n, name: 'Qwen/Qwen3-0.6B', input: 'tokens', types: ['chat', 'completions'] },
      { instanceId: 2n, name: 't', input: 'tensor', types: ['tensorbased'] },
      { instanceId: 2n, name: 'lora', input: 'tokens' },
    ]);
  });

  test.each<[string, string, string]>([
    ['a half-written card', '{"type":"Model"', 'JSON'],
    ['no card', record({ card_json: 'm' }), 'card_json'],
    ['a card without a name', record({}, { display_name: undefined }), 'display_name'],
    ['a card that does not say what it takes', record({}, { model_input: 5 }), 'model_input'],
    ['no id', record({ instance_id: -1 }), 'instance_id'],
  ])('%s is left out with one warning', async (_what, content, reason) => {
    await store().write('dynamo/backend/generate/1', content);
    await store().write('dynamo/backend/generate/3', record({ instance_id: 3 }));
    expect(await discovery.models(NAME)).toMatchObject([{ instanceId: 3n }]);
    await discovery.models(NAME);
    expect(store().warnings).toEqual([{ message: 'model record ignored', fields: expect.objectContaining({ path: expect.stringContaining('generate'), reason: expect.stringContaining(reason) }) }]);
  });

  test('a record that says another endpoint, or is no model, is left out without a word', async () => {
    await store().write('dynamo/backend/generate/1', record({ endpoint: 'other' }));
    await store().write('dynamo/backend/generate/2', record({ type: 'Endpoint', instance_id: 2 }));
    expect([await discovery.models(NAME), store().warnings]).toEqual([[], []]);
  });

  test('are not read for a name that is none, nor after close', async () => {
    await expect(discovery.models('generate')).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path: 'endpoint' });
    await discovery.close();
    await expect(discovery.models(NAME)).rejects.toMatchObject({ code: 'ERR_CLIENT_CLOSED' });
  });
}

function loggerOf(warnings: Store['warnings']) {
  return { debug: () => undefined, info: () => undefined, error: () => undefined, warn: (fields: object | string, message?: string) => void warnings.push({ message: String(message), fields: fields as Record<string, unknown> }) };
}

describe('models in the file store', () => {
  let root: string;
  const warnings: Store['warnings'] = [];
  beforeEach(() => {
    warnings.length = 0;
    root = mkdtempSync(join(tmpdir(), 'dynamo-models-'));
    mkdirSync(join(root, 'v1', 'mdc'), { recursive: true });
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const write = (key: string, content: string): void => writeFileSync(join(root, 'v1', 'mdc', fileNameOf(key)), content);
  const discover = (): FileDiscovery => new FileDiscovery({ root, logger: loggerOf(warnings) });
  models(() => ({ warnings, discover, write }));

  test('of a dead worker do not count', async () => {
    write('dynamo/backend/generate/1', record());
    const then = new Date(Date.now() - 60_000);
    utimesSync(join(root, 'v1', 'mdc', fileNameOf('dynamo/backend/generate/1')), then, then);
    expect(await discover().models(NAME)).toEqual([]);
  });
});

describeWithEtcd('models in etcd', () => {
  let etcd: EtcdServer;
  const warnings: Store['warnings'] = [];
  beforeAll(async () => {
    etcd = await EtcdServer.start();
  });
  beforeEach(() => {
    warnings.length = 0;
  });
  afterEach(async () => {
    await etcd.ask('kv/deleterange', { key: 'AA==', range_end: 'AA==' });
  });
  afterAll(() => etcd.stop());
  models(() => ({
    warnings,
    discover: () => new EtcdDiscovery({ endpoints: etcd.url, env: {}, logger: loggerOf(warnings) }),
    write: async (key, content) => {
      await etcd.ask('kv/put', { key: Buffer.from(`v1/mdc/${key}`).toString('base64'), value: Buffer.from(content).toString('base64') });
    },
  }));
});
