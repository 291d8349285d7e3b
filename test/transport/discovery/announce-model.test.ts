import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileDiscovery, RequestPlaneServer, type ModelDraft } from 'dynamo-tracing/transport';
import { decodeJson } from '../../../src/protocol/index.js';
import { until } from '../../support/until.js';

const ID = 16674300203437093697n;
const WORKER = { namespace: 'dynamo', component: 'backend', endpoint: 'generate', instanceId: ID, address: 'tcp://127.0.0.1:37217/e76703b0d8177341/dynamo/backend/generate' } as const;
const FILE = 'dynamo%2Fbackend%2Fgenerate%2Fe76703b0d8177341';

let root: string;
let discovery: FileDiscovery;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dynamo-model-'));
  discovery = new FileDiscovery({ root, ttlMs: 1000, logger: false });
});

afterEach(async () => {
  await discovery.close();
  rmSync(root, { recursive: true, force: true });
});

const cardFile = (): string => join(root, 'v1', 'mdc', FILE);
const record = (): Record<string, unknown> => decodeJson(readFileSync(cardFile())) as Record<string, unknown>;
const card = (): Record<string, unknown> => record()['card_json'] as Record<string, unknown>;
const names = (bucket: string): string[] => readdirSync(join(root, 'v1', bucket));

/** A model's folder in the layout of Hugging Face. */
function modelFolder(changed: Partial<Record<string, string>> = {}): string {
  const folder = join(root, 'model');
  mkdirSync(folder, { recursive: true });
  const files: Partial<Record<string, string>> = {
    'config.json': '{"model_type":"llama","max_position_embeddings":4096,"time_step_limit":[0.0,Infinity]}',
    'tokenizer.json': '{"version":"1.0"}',
    'tokenizer_config.json': '{"chat_template":"{{ messages }}"}',
    'generation_config.json': '{"bos_token_id":1,"eos_token_id":2}',
    ...changed,
  };
  for (const [name, content] of Object.entries(files)) if (content !== undefined) writeFileSync(join(folder, name), content);
  return folder;
}

describe('a model that takes text', () => {
  test('has a record beside that of its instance, under the same name, with the fields that Dynamo demands', async () => {
    const announcement = await discovery.announceModel(WORKER, { name: 'My Model/1', types: ['chat', 'completions', 'embedding'] });
    expect(announcement.model).toBe('My Model/1');
    expect(names('instances')).toEqual([FILE]);
    expect(names('mdc')).toEqual([FILE]);
    expect(record()).toEqual({
      type: 'Model', namespace: 'dynamo', component: 'backend', endpoint: 'generate', instance_id: ID,
      card_json: {
        display_name: 'My Model/1', slug: 'my_model_1', kv_cache_block_size: 0, migration_limit: 0,
        model_type: 'Chat | Completions | Embedding', model_input: 'Text', worker_type: 'aggregated', needs: [],
      },
    });
    expect(await discovery.instances('dynamo.backend.generate')).toMatchObject([{ instanceId: ID, transport: { tcp: '127.0.0.1:37217/e76703b0d8177341/dynamo/backend/generate' } }]);
  });

  test('serves chat and completions when it does not say what', async () => {
    await discovery.announceModel(WORKER, { name: '模型', contextLength: 777, migrationLimit: 3 });
    expect(card()).toMatchObject({ display_name: '模型', slug: 'model', model_type: 'Chat | Completions', migration_limit: 3, context_length: 777, runtime_config: { context_length: 777 } });
  });

  test('is announced for an endpoint that a server serves, in one line', async () => {
    const server = new RequestPlaneServer({ host: '127.0.0.1', logger: false });
    await server.listen();
    const endpoint = server.endpoint('dynamo.backend.generate', async function * () { yield await Promise.resolve({}); });
    const { instance } = await discovery.announceModel(endpoint, { name: 'm' });
    expect(instance).toMatchObject({ instanceId: server.instanceId, transport: { tcp: endpoint.address.slice('tcp://'.length) } });
    await server.close();
  });

  test('of a worker on NATS names its subject', async () => {
    const { instance } = await discovery.announceModel({ ...WORKER, address: undefined, subject: 'dynamo_backend.generate-2a' }, { name: 'm' });
    expect(instance.transport).toEqual({ nats_tcp: 'dynamo_backend.generate-2a' });
  });
});

describe('both records', () => {
  test('are touched together', async () => {
    const announcement = await discovery.announceModel(WORKER, { name: 'm' });
    const then = new Date(Date.now() - 60_000);
    for (const path of [announcement.path, cardFile()]) utimesSync(path, then, then);
    await until('both are touched', () => [announcement.path, cardFile()].every((path) => Date.now() - statSync(path).mtimeMs < 30_000));
  });

  test('are written again when another process took them for dead', async () => {
    await discovery.announceModel(WORKER, { name: 'm' });
    unlinkSync(cardFile());
    await until('the card is back', () => names('mdc').includes(FILE));
    expect(card()).toMatchObject({ display_name: 'm' });
  });

  test('go together, with the announcement and with close', async () => {
    const announcement = await discovery.announceModel(WORKER, { name: 'm' });
    await announcement.withdraw();
    expect([...names('instances'), ...names('mdc')]).toEqual([]);
    await discovery.announceModel(WORKER, { name: 'm' });
    await discovery.close();
    expect([...names('instances'), ...names('mdc')]).toEqual([]);
  });

  test('are not written when one of them cannot be', async () => {
    mkdirSync(join(root, 'v1'), { recursive: true });
    writeFileSync(join(root, 'v1', 'mdc'), 'no directory');
    await expect(discovery.announceModel(WORKER, { name: 'm' })).rejects.toMatchObject({ code: 'ERR_DISCOVERY' });
    expect(names('instances')).toEqual([]);
  });

  test('follow a change of the instance, the card staying as it is', async () => {
    const announcement = await discovery.announceModel(WORKER, { name: 'm' });
    const before = readFileSync(cardFile(), 'utf8');
    await announcement.update({ codec: 'json' });
    expect(readFileSync(cardFile(), 'utf8')).toBe(before);
    expect(await discovery.instances('dynamo.backend.generate')).toMatchObject([{ codec: 'json' }]);
  });
});

describe('a model that takes tokens', () => {
  test("has its files with size and BLAKE3 sum, as Dynamo 1.6.1's own mocker writes them", async () => {
    const folder = modelFolder();
    await discovery.announceModel(WORKER, { name: 'tiny', input: 'tokens', files: folder });
    expect(card()).toMatchObject({
      source_path: folder,
      model_info: { hf_config_json: { path: join(folder, 'config.json'), checksum: expect.stringMatching(/^blake3:[0-9a-f]{64}$/) } },
      tokenizer: { hf_tokenizer_json: { path: join(folder, 'tokenizer.json'), size: 17 } },
      prompt_formatter: { hf_tokenizer_config_json: { path: join(folder, 'tokenizer_config.json') } },
      // The sum is the one that the mocker wrote for the same bytes.
      gen_config: { hf_generation_config_json: { path: join(folder, 'generation_config.json'), checksum: 'blake3:7f52da5ab0337f7ef2f05b185342dd7025b3c760fa3a46948fab8868515f0ceb', size: 35 } },
      architectural_max_context_length: 4096, context_length: 4096, runtime_config: { context_length: 4096 },
      kv_cache_block_size: 16, model_type: 'Chat | Completions', model_input: 'Tokens',
    });
  });

  test('may have its chat template in a file of its own, and no settings for generation', async () => {
    const folder = modelFolder({ 'tokenizer_config.json': '{}', 'generation_config.json': undefined, 'chat_template.jinja': '{{ messages }}' });
    await discovery.announceModel(WORKER, { name: 'tiny', input: 'tokens', files: folder, contextLength: 100, kvCacheBlockSize: 64 });
    expect(card()).toMatchObject({ chat_template_file: { hf_chat_template: { is_custom: false, file: { path: join(folder, 'chat_template.jinja') } } }, context_length: 100, kv_cache_block_size: 64 });
    expect(card()).not.toHaveProperty('gen_config');
  });

  test('needs no template where there is no chat', async () => {
    await discovery.announceModel(WORKER, { name: 'tiny', types: ['embedding'], input: 'tokens', files: modelFolder({ 'tokenizer_config.json': undefined, 'config.json': '{"text_config":{"max_position_embeddings":12}}' }) });
    expect(card()).toMatchObject({ model_type: 'Embedding', context_length: 12 });
    expect(card()).not.toHaveProperty('prompt_formatter');
  });

  test.each<[string, Partial<Record<string, string>>, string]>([
    ['no config.json', { 'config.json': undefined }, 'config.json'],
    ['a config.json that is no JSON', { 'config.json': 'model:' }, 'config.json'],
    ['a config.json that is no object', { 'config.json': '[]' }, 'config.json'],
    ['no tokenizer.json', { 'tokenizer.json': undefined }, 'tokenizer.json'],
    ['no tokenizer_config.json', { 'tokenizer_config.json': undefined }, 'tokenizer_config.json'],
    ['no chat template, for which Dynamo tries for ever', { 'tokenizer_config.json': '{}' }, 'tokenizer_config.json'],
  ])('is refused with %s, by the name of the file', async (_what, files, file) => {
    const folder = modelFolder(files);
    await expect(discovery.announceModel(WORKER, { name: 'tiny', input: 'tokens', files: folder })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path: 'model.files', file: join(folder, file) });
    expect(readdirSync(root)).toEqual(['model']);
  });

  test('says that @noble/hashes is missing when it is, before anything is written; a model that takes text does without', async () => {
    jest.doMock('@noble/hashes/blake3.js', () => {
      throw Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' });
    });
    try {
      await expect(discovery.announceModel(WORKER, { name: 'tiny', input: 'tokens', files: modelFolder() })).rejects.toMatchObject({ code: 'ERR_DEPENDENCY_MISSING', package: '@noble/hashes' });
      expect(readdirSync(root)).toEqual(['model']);
      await discovery.announceModel(WORKER, { name: 'tiny' });
      expect(names('mdc')).toEqual([FILE]);
    } finally {
      jest.dontMock('@noble/hashes/blake3.js');
    }
  });

  test('is refused with a folder in the place of a file', async () => {
    const folder = modelFolder({ 'tokenizer.json': undefined });
    mkdirSync(join(folder, 'tokenizer.json'));
    await expect(discovery.announceModel(WORKER, { name: 'tiny', input: 'tokens', files: folder })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', file: join(folder, 'tokenizer.json') });
  });
});

describe('a model that Dynamo would refuse is refused here, by the field', () => {
  test.each<[unknown, string]>([
    [undefined, 'model.name'],
    [{ name: '' }, 'model.name'],
    [{ name: ' ' }, 'model.name'],
    [{ name: 5 }, 'model.name'],
    [{ name: 'm', types: [] }, 'model.types'],
    [{ name: 'm', types: ['Chat'] }, 'model.types'],
    [{ name: 'm', types: 'chat' }, 'model.types'],
    [{ name: 'm', input: 'Text' }, 'model.input'],
    [{ name: 'm', input: 'tokens' }, 'model.files'],
    [{ name: 'm', files: '/tmp' }, 'model.files'],
    [{ name: 'm', input: 'tokens', files: '/tmp', kvCacheBlockSize: 0 }, 'model.kvCacheBlockSize'],
    [{ name: 'm', input: 'tokens', files: '/tmp', types: ['chat', 'embedding'] }, 'model.types'],
    [{ name: 'm', kvCacheBlockSize: -1 }, 'model.kvCacheBlockSize'],
    [{ name: 'm', contextLength: 0 }, 'model.contextLength'],
    [{ name: 'm', contextLength: 2 ** 32 }, 'model.contextLength'],
    [{ name: 'm', migrationLimit: 1.5 }, 'model.migrationLimit'],
    [{ name: 'm', model: 'm' }, 'model.model'],
  ])('%p', async (model, path) => {
    await expect(discovery.announceModel(WORKER, model as ModelDraft)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path });
    expect(readdirSync(root)).toEqual([]);
  });
});
