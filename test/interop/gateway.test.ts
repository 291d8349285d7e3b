/** The example gateway before Dynamo's HTTP frontend and mocker: `npm start` with GATEWAY_UPSTREAM, and with file discovery before token workers. */
import { once } from 'node:events';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { ExampleProcess } from '../support/processes.js';
import { eachRelease } from './support/each-release.js';
import { House } from './support/house.js';
import { announceLikeMocker, startFrontend, startMocker, withoutMocker } from './support/mocker.js';

const STARTED_WITHIN_MS = 240_000;
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const MESSAGES = [{ role: 'user', content: 'hello world' }];
/** Route, its body, what its record says beside the ids. */
const CASES: readonly (readonly [string, Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>])[] = [
  ['/v1/chat/completions', { messages: MESSAGES, max_tokens: 3 }, { endpoint: 'chat_completions', output_tokens: '3', finish_reason: 'length' }],
  ['/v1/completions', { prompt: 'hello world', max_tokens: 3 }, { endpoint: 'completions', output_tokens: '3', finish_reason: 'length' }],
  ['/v1/messages', { messages: MESSAGES, max_tokens: 3 }, { endpoint: 'anthropic_messages', output_tokens: '3', finish_reason: 'max_tokens' }],
  ['/v1/responses', { input: 'hello world', max_output_tokens: 3 }, { endpoint: 'responses', output_tokens: '3' }],
];
/** Routes on which Dynamo tells worker ids: not on /v1/messages, and not in streams of /v1/responses. */
const tellsWorkers = (path: string, stream: boolean): boolean => path.endsWith('/completions') || (path === '/v1/responses' && !stream);

eachRelease('the example gateway → Dynamo\'s frontend', (release) => {
  const house = new House();
  let gateway: ExampleProcess;
  let url: string;
  let workerId: string;
  /** Metadata that a worker of ours behind the frontend got. */
  const metadata: unknown[] = [];

  beforeAll(async () => {
    await startMocker(house, release, 'json');
    workerId = String((await house.router('dynamo.backend.generate').workers())[0]!.workerId);
    const endpoint = (await house.server()).endpoint('dynamo.ours.generate', async function * (_request: unknown, context) {
      metadata.push(context.metadata);
      yield await Promise.resolve({ token_ids: [300], finish_reason: 'stop' });
    });
    await house.announce(endpoint, 'json');
    announceLikeMocker(house, endpoint, 'ours');
    const frontend = await startFrontend(house, release, 'tiny', 'ours');
    gateway = ExampleProcess.start('main', { GATEWAY_UPSTREAM: frontend, GATEWAY_UPSTREAM_USAGE: '1' });
    house.onClose(() => gateway.stop());
    url = await gateway.address();
  }, STARTED_WITHIN_MS);

  const post = async (path: string, body: Readonly<Record<string, unknown>>, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json', traceparent: `00-${TRACE}-00f067aa0ba902b7-03`, ...headers }, body: JSON.stringify({ model: 'tiny', ...body }) });
  const recordOf = async (res: Response): Promise<Record<string, unknown>> => {
    const mine = (): Record<string, unknown> | undefined => gateway.records('request completed').find((record) => record['request_id'] === res.headers.get('request-id'));
    await gateway.until(() => mine() !== undefined, 'its record');
    return mine()!;
  };

  describe.each([false, true])('stream: %s', (stream) => {
    it.each(CASES)('%s: tokens, reason and worker ids are on its record', async (path, body, expected) => {
      const res = await post(path, { ...body, stream, nvext: { extra_fields: ['worker_id'] } });
      const text = await res.text();
      expect([res.status, text]).toEqual([200, expect.stringContaining('tok')]);
      const workers = tellsWorkers(path, stream) ? { prefill_worker_id: workerId, decode_worker_id: workerId } : {};
      expect(await recordOf(res)).toMatchObject({ ...expected, ...workers, status: 'success', model: 'tiny', trace_id: TRACE, input_tokens: expect.stringMatching(/^\d+$/) });
      // The gateway asked for the usage of streams, the client did not.
      if (stream && path.endsWith('/completions')) expect(text).not.toContain('"prompt_tokens"');
    });
  });

  it('lists its models, tells of one, counts tokens, and hands its refusals on', async () => {
    const models = await (await fetch(`${url}/v1/models`)).json() as { data: { id: string }[] };
    expect(models.data.map(({ id }) => id).sort()).toEqual(['ours', 'tiny']);
    expect(await (await fetch(`${url}/v1/models/tiny`)).json()).toMatchObject({ id: 'tiny' });
    expect(await (await post('/v1/messages/count_tokens', { messages: MESSAGES })).json()).toEqual({ input_tokens: expect.any(Number) });
    expect((await fetch(`${url}/v1/models/nothing`)).status).toBe(404);
    for (const [path, body] of [['/v1/embeddings', { input: 'hi' }], ['/v1/chat/completions', { model: 'invented', messages: MESSAGES }]] as const) {
      const res = await post(path, body);
      expect(res.status).toBe(404);
      expect(await recordOf(res)).toMatchObject({ error_type: 'not_found' });
    }
  });

  it('hands metadata on to the worker', async () => {
    expect((await post('/v1/chat/completions', { model: 'ours', messages: MESSAGES, max_tokens: 1 }, { 'x-dynamo-meta-tenant': 'a' })).status).toBe(200);
    expect(metadata).toMatchObject([{ tenant: 'a' }]);
  });

  it('a routing header chooses the worker', async () => {
    const chosen = await post('/v1/chat/completions', { messages: MESSAGES, max_tokens: 1 }, { 'x-dynamo-worker-instance-id': workerId });
    expect(chosen.status).toBe(200);
    const nobody = await post('/v1/chat/completions', { messages: MESSAGES, max_tokens: 1 }, { 'x-dynamo-worker-instance-id': '1' });
    expect(nobody.status).toBe(400);
    expect(await recordOf(nobody)).toMatchObject({ error_type: 'validation' });
  });

  it('/metrics is labelled with the models that Dynamo serves, and with no other', async () => {
    await (await post('/v1/chat/completions', { model: 'invented', messages: MESSAGES })).text();
    const labels = [...(await (await fetch(`${url}/metrics`)).text()).matchAll(/model="([^"]*)"/g)].map(([, model]) => model);
    expect([...new Set(labels)].filter((model) => !['tiny', 'ours', 'unknown_model'].includes(model!))).toEqual([]);
    expect(labels).toContain('tiny');
  });

  it('with file discovery before workers that take tokens it does not start, and says so', async () => {
    const direct = ExampleProcess.start('main', { DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: house.store, MODEL: 'tiny' });
    house.onClose(() => direct.stop());
    let stderr = '';
    direct.child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    expect(await once(direct.child, 'close')).toEqual([1, null]);
    expect(stderr).toContain('The workers of dynamo.backend.generate expect tokens');
  });
}, withoutMocker);
