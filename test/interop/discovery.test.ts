/** Discovery with Dynamo on the other side, through its file store and through etcd: our workers behind its frontend, its workers before our router. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EtcdDiscovery, FileDiscovery, RequestPlaneClient, RequestPlaneServer, Router, type Discovery } from 'dynamo-tracing/transport';
import { startHarness, type Harness, type HarnessDynamo } from 'dynamo-tracing/harness';
import { ETCD_MISSING, EtcdServer } from '../support/etcd-server.js';
import { ExampleProcess } from '../support/processes.js';
import { until } from '../support/until.js';
import { eachRelease } from './support/each-release.js';
import { frontendMissing, pythonOf } from './support/releases.js';

const ENDPOINT = 'dynamo.backend.generate';
/** Until the records of a process that was killed expire: Dynamo's file store 10 s, our leases 30 s; and something for a busy machine. */
const EXPIRY_MS = { file: 40_000, etcd: 60_000 };

/** A store, and what the processes that use it are told. */
interface Backend {
  readonly env: Record<string, string>;
  open(): Discovery;
  /** Keys of the records of instances and models, unescaped. */
  keys(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const BACKENDS = {
  file: (): Promise<Backend> => {
    const root = mkdtempSync(join(tmpdir(), 'dynamo-interop-'));
    return Promise.resolve({
      env: { DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: root },
      open: () => new FileDiscovery({ root, rescanMs: 50, logger: false, env: {} }),
      keys: () => Promise.resolve(execFileSync('find', [root, '-type', 'f', '-printf', '%P\n'], { encoding: 'utf8' }).split('\n').filter(Boolean).map(decodeURIComponent)),
      close: () => Promise.resolve(rmSync(root, { recursive: true, force: true })),
    });
  },
  etcd: async (): Promise<Backend> => {
    const etcd = await EtcdServer.start();
    return {
      env: { DYN_DISCOVERY_BACKEND: 'etcd', ETCD_ENDPOINTS: etcd.url },
      open: () => new EtcdDiscovery({ endpoints: etcd.url, logger: false, env: {} }),
      keys: async () => (await etcd.dump()).map(({ key }) => key),
      close: () => etcd.stop(),
    };
  },
};

for (const kind of ['file', 'etcd'] as const) {
  eachRelease(`discovery through ${kind === 'file' ? 'the file store' : 'etcd'}`, (release) => {
    let backend: Backend;
    let harness: Harness;
    let dynamo: HarnessDynamo;
    let directory: string;
    const workers: ExampleProcess[] = [];
    const closing: (() => Promise<unknown>)[] = [];

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'dynamo-model-'));
      execFileSync(pythonOf(release), [join(__dirname, 'python', 'model.py'), directory]);
      backend = await BACKENDS[kind]();
      harness = await startHarness();
      dynamo = await harness.dynamo({ python: pythonOf(release), env: backend.env, timeoutMs: 60_000 });
    }, 120_000);
    afterAll(async () => {
      for (const worker of workers) worker.child.kill('SIGKILL');
      for (const close of closing.reverse()) await close();
      await harness.close();
      await backend.close();
      rmSync(directory, { recursive: true, force: true });
    }, 60_000);

    /** `npm run worker` with MODEL. */
    async function startWorker(model: string, endpoint = ENDPOINT): Promise<ExampleProcess> {
      const worker = ExampleProcess.start('worker', { ...backend.env, MODEL: model, ENDPOINT: endpoint });
      workers.push(worker);
      await worker.address();
      await dynamo.serves(model);
      return worker;
    }

    const post = async (path: string, body: object): Promise<Response> => fetch(new URL(path, dynamo.directUrl), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const answer = async (path: string, body: object): Promise<unknown> => (await post(path, body)).json();
    const models = async (): Promise<readonly string[]> => dynamo.models();
    const gone = async (model: string, timeoutMs: number): Promise<void> => {
      const end = Date.now() + timeoutMs;
      while ((await models()).includes(model) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 100));
      expect(await models()).not.toContain(model);
    };

    describe('npm run worker with MODEL', () => {
      const chat = { messages: [{ role: 'user', content: 'hello there' }], max_tokens: 3 };

      it('answers chat, unary and streamed, completions and embeddings through the frontend', async () => {
        const model = 'Node Model/1';
        const worker = await startWorker(model);
        expect(await answer('/v1/chat/completions', { model, ...chat })).toMatchObject({ model, choices: [{ message: { role: 'assistant', content: 'token0 token1 token2' }, finish_reason: 'length' }] });
        const streamed = await (await post('/v1/chat/completions', { model, stream: true, ...chat })).text();
        const events = streamed.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice('data: '.length)) as { choices: { delta: { content?: string }; finish_reason: string | null }[] });
        expect(events.map(({ choices: [choice] }) => choice?.delta.content ?? '').join('')).toBe('token0 token1 token2');
        expect(events.at(-1)?.choices[0]?.finish_reason).toBe('length');
        expect(streamed).toMatch(/data: \[DONE\]\n\n$/);
        expect(await answer('/v1/completions', { model, prompt: 'hello', max_tokens: 2 })).toMatchObject({ model, choices: [{ text: 'token0 token1', finish_reason: 'length' }] });
        expect(await answer('/v1/embeddings', { model, input: ['hello', 'hello there'] })).toMatchObject({ object: 'list', data: [{ embedding: [5, 1] }, { embedding: [11, 2] }], usage: { prompt_tokens: 3 } });
        await worker.until(() => worker.records('request completed').length === 4, 'a record of each request');
        expect(await worker.stop()).toBe(0);
      });

      it('has withdrawn both records when it ends after SIGTERM, and its model goes', async () => {
        const model = 'to-be-stopped';
        const worker = await startWorker(model, 'dynamo.stopped.generate');
        const mine = async (): Promise<readonly string[]> => (await backend.keys()).filter((key) => key.includes('/stopped/')).sort();
        expect((await mine()).map((key) => key.split('/')[1])).toEqual(['instances', 'mdc']);
        expect(await worker.stop()).toBe(0);
        expect(await mine()).toEqual([]);
        await gone(model, 5000);
      });

      it('is gone from the models when its records expire after SIGKILL', async () => {
        const model = 'to-be-killed';
        const worker = await startWorker(model, 'dynamo.killed.generate');
        const ended = once(worker.child, 'exit');
        worker.child.kill('SIGKILL');
        await ended;
        expect(await models()).toContain(model);
        await gone(model, EXPIRY_MS[kind]);
      }, 90_000);
    });

    it('a Node worker that takes tokens gets the ids of the prompt, and its ids come back as text', async () => {
      const discovery = backend.open();
      closing.push(() => discovery.close());
      const server = new RequestPlaneServer({ host: '127.0.0.1', logger: false, env: {} });
      await server.listen();
      closing.push(() => server.close({ graceMs: 0 }));
      const asked: { token_ids: number[] }[] = [];
      const endpoint = server.endpoint<{ token_ids: number[] }>('dynamo.tokens.generate', async function * (request) {
        asked.push(request);
        yield await Promise.resolve({ token_ids: request.token_ids.slice(0, 2), finish_reason: null });
        yield { token_ids: request.token_ids.slice(2, 4), finish_reason: 'stop' };
      });
      await discovery.announceModel(endpoint, { name: 'node-tokens', input: 'tokens', files: directory });
      await dynamo.serves('node-tokens');
      const { choices, usage } = await answer('/v1/completions', { model: 'node-tokens', prompt: 'hello world' }) as { choices: { text: string }[]; usage: object };
      expect(asked).toHaveLength(1);
      const { token_ids: ids } = asked[0]!;
      expect([ids.length > 0, choices[0]?.text, usage]).toEqual([true, 'hello world'.slice(0, choices[0]?.text.length), expect.objectContaining({ prompt_tokens: ids.length, completion_tokens: Math.min(4, ids.length) })]);
      expect(choices[0]?.text).not.toBe('');
    });

    it("a worker of Dynamo's is found, and gone when it is stopped", async () => {
      const discovery = backend.open();
      closing.push(() => discovery.close());
      const endpoint = 'theirs.backend.generate';
      const watch = await discovery.watch(endpoint);
      const mocker = dynamo.run('dynamo.mocker', ['--model-path', directory, '--model-name', 'theirs', '--endpoint', `dyn://${endpoint}`, '--block-size', '16', '--max-model-len', '4096', '--router-mode', 'round-robin']);
      const [instance] = await discovery.waitForInstances(endpoint, { timeoutMs: 60_000 });
      await until('the watch has it too', () => watch.instances.length === 1);
      expect(instance).toMatchObject({ component: 'backend', codec: 'msgpack', transport: { tcp: expect.stringContaining(`/${instance!.instanceId.toString(16)}/`) } });
      const client = new RequestPlaneClient({ responseHost: '127.0.0.1', logger: false, env: {} });
      closing.push(() => client.close());
      const router = new Router({ client, discovery, endpoint, logger: false, env: {} });
      closing.push(() => router.close());
      const items: unknown[] = [];
      for await (const item of router.generate({ token_ids: [10, 11, 12], stop_conditions: { max_tokens: 3 }, sampling_options: {}, output_options: {}, eos_token_ids: [], annotations: [] })) items.push(item);
      expect(items.length).toBeGreaterThan(0);
      expect(items.at(-1)).toMatchObject({ finish_reason: 'length' });
      await mocker.stop();
      await until('it is gone', () => watch.instances.length === 0, EXPIRY_MS[kind]);
    }, 150_000);
  }, (release) => frontendMissing(release) ?? (kind === 'etcd' ? ETCD_MISSING : undefined));
}
