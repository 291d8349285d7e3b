/** The example gateway and workers that it finds by discovery: the shape of their requests is in their model cards. */
import { mkdtempSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FileDiscovery, RequestPlaneServer } from 'dynamo-tracing/transport';
import { connectWorkers } from '../../examples/gateway/workers.js';
import { describeWithEtcd, EtcdServer } from '../support/etcd-server.js';
import { ExampleProcess } from '../support/processes.js';

describe('file discovery', () => {
  let root: string;
  const closing: (() => unknown)[] = [];
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'dynamo-tracing-kv-'));
    closing.push(() => rmSync(root, { recursive: true, force: true }));
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  const card = (fields: Record<string, string>, endpoint = 'dynamo.backend.generate', ageMs = 0): void => {
    const [namespace, component, name] = endpoint.split('.');
    const directory = join(root, 'v1', 'mdc');
    mkdirSync(directory, { recursive: true });
    const file = join(directory, `${namespace}%2F${component}%2F${name}%2F1`);
    writeFileSync(file, JSON.stringify({ type: 'Model', namespace, component, endpoint: name, instance_id: 1, card_json: { display_name: 'm', slug: 'm', model_type: 'Chat', ...fields } }));
    const touched = new Date(Date.now() - ageMs);
    utimesSync(file, touched, touched);
  };
  const start = (env: Record<string, string> = {}): ExampleProcess => {
    const gateway = ExampleProcess.start('main', { DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: root, MODEL: 'm', ...env });
    closing.push(() => gateway.stop());
    return gateway;
  };

  test('workers that take text get the chat request, and their chunks become the answer of every API', async () => {
    const asked: unknown[] = [];
    const server = new RequestPlaneServer({ host: '127.0.0.1', logger: false });
    closing.push(() => server.close({ graceMs: 0 }));
    await server.listen();
    const endpoint = server.endpoint('dynamo.backend.generate', async function * (request) {
      asked.push(request);
      const chunk = (fields: object) => ({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, finish_reason: null, delta: {}, ...fields }] });
      yield chunk({ delta: { role: 'assistant', content: '' } });
      yield chunk({ delta: { content: 'Hello' } });
      yield chunk({ delta: { content: ' you' }, finish_reason: 'length' });
      yield { ...chunk({}), choices: [], usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 } };
    });
    const discovery = new FileDiscovery({ root, logger: false });
    closing.push(() => discovery.close());
    await discovery.announce({ ...endpoint, transport: { tcp: endpoint.address.replace('tcp://', '') } });
    card({ model_input: 'Text' });
    const url = await start().address();
    const post = async (path: string, body: object) => fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', ...body }) });
    const messages = [{ role: 'user', content: 'hi' }];

    expect(await (await post('/v1/chat/completions', { messages: [{ role: 'system', content: 'be kind' }, ...messages], max_tokens: 5 })).json()).toMatchObject({
      choices: [{ message: { content: 'Hello you' }, finish_reason: 'length' }], usage: { prompt_tokens: 7, completion_tokens: 2 },
    });
    expect(await (await post('/v1/messages', { system: 'be kind', messages, max_tokens: 5 })).json()).toMatchObject({ content: [{ text: 'Hello you' }], stop_reason: 'max_tokens', usage: { input_tokens: 7, output_tokens: 2 } });
    expect(await (await post('/v1/responses', { input: 'hi', max_output_tokens: 5 })).json()).toMatchObject({ output: [{ content: [{ text: 'Hello you' }] }] });
    expect(await (await post('/v1/completions', { prompt: 'hi', max_tokens: 5, stream: true })).text()).toContain('" you"');
    expect((await post('/v1/embeddings', { input: 'hi' })).status).toBe(404);
    const request = { model: 'm', messages, max_tokens: 5, stream: true, stream_options: { include_usage: true } };
    const kind = { ...request, messages: [{ role: 'system', content: 'be kind' }, ...messages] };
    expect(asked).toEqual([kind, kind, request, request]);
  }, 60_000);

  test.each<[string, Record<string, string>, Record<string, string>, string[]]>([
    ['that take tokens', { model_input: 'Tokens' }, {}, ['expect tokens', 'GATEWAY_UPSTREAM']],
    ['of another model', { model_input: 'Text', display_name: 'other' }, {}, ['MODEL is m', 'dynamo.backend.generate', 'other']],
    ['that take tensors', { model_input: 'Tensor' }, {}, ['expect tensor']],
  ])('workers %s end the program at its start, with their shape', async (_title, fields, env, said) => {
    card(fields);
    const gateway = start(env);
    let stderr = '';
    gateway.child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    expect(await once(gateway.child, 'close')).toEqual([1, null]);
    for (const words of said) expect(stderr).toContain(words);
  }, 60_000);

  describe('in this process', () => {
    const before = { ...process.env };
    beforeEach(() => void Object.assign(process.env, { DYN_FILE_KV: root, DYN_DISCOVERY_BACKEND: 'file' }));
    afterEach(() => {
      process.env = { ...before };
    });
    const connect = async (mode: 'aggregated' | 'disaggregated'): Promise<void> => {
      const fleet = await connectWorkers({ port: 0, host: '', mode, workers: undefined, upstream: undefined, upstreamUsage: false, model: 'm', tokenDelayMs: 0, workerTimeoutMs: 0, discovery: true });
      await fleet.close();
    };

    test('a prefill worker of Dynamo is refused too', async () => {
      card({ model_input: 'Tokens' }, 'dynamo.prefill.generate');
      await expect(connect('disaggregated')).rejects.toThrow('expect tokens');
    });

    test.each<[string, () => void]>([
      ['of other endpoints', () => card({ model_input: 'Tokens' }, 'dynamo.other.generate')],
      ['of dead workers', () => card({ model_input: 'Tokens' }, undefined, 60_000)],
      ['that are broken', () => {
        card({ model_input: 'Text' });
        writeFileSync(join(root, 'v1', 'mdc', 'dynamo%2Fbackend%2Fgenerate%2F1'), '{');
      }],
    ])('cards %s do not count', async (_title, write) => {
      write();
      await connect('aggregated');
    });
  });
});

describeWithEtcd('etcd discovery', () => {
  test('finds a worker and what it expects, and without etcd the program ends at its start', async () => {
    const etcd = await EtcdServer.start();
    const started: ExampleProcess[] = [];
    try {
      const env = { DYN_DISCOVERY_BACKEND: 'etcd', ETCD_ENDPOINTS: etcd.url, MODEL: 'm' };
      const start = (program: 'main' | 'worker', more: Record<string, string> = {}): ExampleProcess => {
        const process = ExampleProcess.start(program, { ...env, ...more });
        started.push(process);
        return process;
      };
      await start('worker').address();
      const url = await start('main').address();
      const answer = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }], max_tokens: 2 }) });
      expect(await answer.json()).toMatchObject({ choices: [{ message: { content: 'token0 token1' } }], usage: { completion_tokens: 2 } });
      const other = start('main', { MODEL: 'other' });
      expect(await once(other.child, 'exit')).toEqual([1, null]);
      for (const { child } of started.splice(0)) child.kill('SIGKILL');
      await etcd.stop();
      expect(await once(start('main').child, 'exit')).toEqual([1, null]);
    } finally {
      for (const { child } of started) child.kill('SIGKILL');
      await etcd.stop();
    }
  }, 60_000);
});
