import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FileDiscovery, RequestPlaneClient, Router } from 'dynamo-tracing/transport';
import { decodeJson } from '../../src/protocol/index.js';
import { describeWithEtcd, EtcdServer } from '../support/etcd-server.js';
import { until } from '../support/until.js';
import { ExampleProcess } from '../support/processes.js';

const started: ExampleProcess[] = [];
let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'dynamo-worker-'));
});
afterEach(() => {
  for (const { child } of started.splice(0)) child.kill('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

function start(env: Record<string, string>): ExampleProcess {
  const worker = ExampleProcess.start('worker', env);
  started.push(worker);
  return worker;
}

const names = (bucket: string): string[] => readdirSync(join(root, 'v1', bucket));

describe('npm run worker', () => {
  test('with MODEL announces itself as a model of text, answers as OpenAI does, and withdraws on SIGTERM', async () => {
    const worker = start({ DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: root, MODEL: 'm', ENDPOINT: 'dynamo.backend.generate' });
    await worker.address();
    const [file] = names('mdc');
    expect(names('instances')).toEqual([file]);
    expect(decodeJson(readFileSync(join(root, 'v1', 'mdc', String(file))))).toMatchObject({ type: 'Model', card_json: { display_name: 'm', model_type: 'Chat | Completions | Embedding', model_input: 'Text' } });

    const discovery = new FileDiscovery({ root, logger: false });
    const client = new RequestPlaneClient({ responseHost: '127.0.0.1', logger: false });
    const router = new Router({ client, discovery, endpoint: 'dynamo.backend.generate', logger: false });
    const ask = async (request: object): Promise<unknown[]> => {
      const items: unknown[] = [];
      for await (const item of router.generate({ model: 'm', ...request })) items.push(item);
      return items;
    };
    expect(await ask({ messages: [{ role: 'user', content: 'hello there' }], max_tokens: 1 })).toMatchObject([
      { object: 'chat.completion.chunk', model: 'm', choices: [{ delta: { content: 'token0' }, finish_reason: null }] },
      { choices: [{ delta: {}, finish_reason: 'length' }], usage: { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 } },
    ]);
    expect(await ask({ prompt: 'hello', max_tokens: 1 })).toMatchObject([{ object: 'text_completion', choices: [{ text: 'token0' }] }, { choices: [{ text: '', finish_reason: 'length' }] }]);
    expect(await ask({ input: ['hello', 'hello there'] })).toMatchObject([{ object: 'list', data: [{ embedding: [5, 1] }, { embedding: [11, 2] }] }]);

    await router.close();
    await client.close();
    await discovery.close();
    expect(await worker.stop()).toBe(0);
    expect([...names('instances'), ...names('mdc')]).toEqual([]);
  }, 30_000);

  test('on a second SIGTERM cuts what is open, writes its record and exits 0', async () => {
    const worker = start({ DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: root, MODEL: 'm', MOCK_TOKEN_DELAY_MS: '20' });
    const address = await worker.address();
    const exited = once(worker.child, 'exit');
    const client = new RequestPlaneClient({ responseHost: '127.0.0.1', logger: false });
    const stream = client.generate(address, { model: 'm', prompt: 'hello', max_tokens: 100_000 });
    await stream.next();
    worker.child.kill('SIGTERM');
    await until('the worker is withdrawn', () => names('instances').length === 0);
    worker.child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(worker.records('request completed')).toMatchObject([{ status: 'cancelled', error_type: 'cancelled' }]);
    await client.close();
  }, 30_000);

  test('that gets SIGTERM before it has announced itself leaves nothing behind and exits 0', async () => {
    // Sends the signal to itself as the first step of the announcement begins: without a listener it would end there.
    const preload = join(root, 'preload.cjs');
    writeFileSync(preload, `
      const promises = require('node:fs/promises');
      const { mkdir } = promises;
      promises.mkdir = (path, ...rest) => {
        if (String(path).includes('v1')) process.kill(process.pid, 'SIGTERM');
        return mkdir(path, ...rest);
      };
      require('node:module').syncBuiltinESMExports();
    `);
    const worker = start({ DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: root, MODEL: 'm', NODE_OPTIONS: `--require ${preload}` });
    expect(await once(worker.child, 'exit')).toEqual([0, null]);
    expect([...names('instances'), ...names('mdc')]).toEqual([]);
  }, 30_000);

  test('without MODEL announces its instance alone, for the gateway', async () => {
    const worker = start({ DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: root });
    await worker.address();
    expect([names('instances').length, readdirSync(join(root, 'v1'))]).toEqual([1, ['instances']]);
    expect(await worker.stop()).toBe(0);
  }, 30_000);

  test('ends before it listens when its discovery is none that there is', async () => {
    const worker = start({ DYN_DISCOVERY_BACKEND: 'kubernetes', MODEL: 'm' });
    let said = '';
    worker.child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const [code] = await once(worker.child, 'exit') as [number];
    expect([code, said]).toEqual([1, expect.stringMatching(/^DYN_DISCOVERY_BACKEND=kubernetes is not supported: .*\n$/)]);
  }, 30_000);
});

describeWithEtcd('npm run worker with etcd', () => {
  test('is there under its lease, and withdraws on SIGTERM', async () => {
    const etcd = await EtcdServer.start();
    try {
      const worker = start({ DYN_DISCOVERY_BACKEND: 'etcd', ETCD_ENDPOINTS: etcd.url, MODEL: 'm' });
      await worker.address();
      expect((await etcd.dump()).map(({ key }) => key.split('/')[1])).toEqual(['instances', 'mdc']);
      expect(await worker.stop()).toBe(0);
      expect(await etcd.dump()).toEqual([]);
    } finally {
      await etcd.stop();
    }
  }, 30_000);
});
