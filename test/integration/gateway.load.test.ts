import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ExampleProcess } from '../support/processes.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = `00-${TRACE}-00f067aa0ba902b7-01`;
const chat = (extra: Record<string, unknown> = {}): string => JSON.stringify({ model: 'mock-model', messages: [{ role: 'user', content: 'one two three' }], max_tokens: 5, ...extra });

/** The gateway as outsiders see it: a process with an address, records on standard error, an exit code. */
describe('npm start', () => {
  const started: ExampleProcess[] = [];
  const run = (program: 'main' | 'worker', env: Record<string, string> = {}): ExampleProcess => {
    const process = ExampleProcess.start(program, env);
    started.push(process);
    return process;
  };
  afterEach(async () => {
    await Promise.all(started.splice(0).map((process) => process.stop()));
  });

  const post = async (gateway: ExampleProcess, path = '/v1/chat/completions', body = chat(), headers: Record<string, string> = {}): Promise<Response> =>
    fetch((await gateway.address()) + path, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });

  test('a traced request: one trace in gateway and worker records, handle_payload under the gateway, both ids echoed, exit 0 on SIGTERM', async () => {
    const gateway = run('main');
    const res = await post(gateway, undefined, undefined, { traceparent: PARENT, 'x-request-id': 'order-42' });
    const body = await res.json() as { id: string; usage: unknown };
    const requestId = res.headers.get('request-id');
    expect(res.headers.get('x-request-id')).toBe('order-42');
    expect(body).toMatchObject({ id: `chatcmpl-${requestId}`, usage: { prompt_tokens: 3, completion_tokens: 5 } });
    const completed = await gateway.record('request completed', 'request');
    const handled = await gateway.record('request completed', 'worker');
    for (const record of [completed, handled]) expect(record).toMatchObject({ trace_id: TRACE, request_id: requestId, x_request_id: 'order-42', status: 'success' });
    expect(completed).toMatchObject({ span_name: 'http-request', parent_id: '00f067aa0ba902b7', input_tokens: '3', output_tokens: '5', response_id: `chatcmpl-${requestId}`, decode_worker_id: handled['instance_id'] });
    expect(handled).toMatchObject({ span_name: 'handle_payload', component: 'backend', namespace: 'dynamo', endpoint: 'generate' });
    expect(handled['parent_id']).not.toBe('00f067aa0ba902b7');
    expect(await gateway.stop()).toBe(0);
  }, 30_000);

  test('a bad x-dynamo-request-id: 200, one warning, a generated id', async () => {
    const gateway = run('main');
    const res = await post(gateway, undefined, undefined, { 'x-dynamo-request-id': 'nonsense' });
    expect(res.status).toBe(200);
    expect(res.headers.get('request-id')).toMatch(/^[0-9a-f-]{36}$/);
    await gateway.record('request completed', 'request');
    expect(gateway.lines.filter((line) => line['level'] === 'WARN').map((line) => line['message'])).toEqual([expect.stringContaining('must be a valid UUID')]);
  }, 30_000);

  describe('refused in the shape of its route, with DYN_LOG=error its record still has its ids', () => {
    let gateway: ExampleProcess;
    beforeAll(() => {
      gateway = ExampleProcess.start('main', { DYN_LOG: 'error' });
    });
    afterAll(() => gateway.stop());

    test.each([
      ['malformed JSON', '/v1/chat/completions', '{"model":', 'application/json', 400, 'validation'],
      ['an unknown model', '/v1/chat/completions', chat({ model: 'other' }), 'application/json', 404, 'not_found'],
      ['a wrong content type', '/v1/messages', chat(), 'text/plain', 415, 'validation'],
      ['a body over the limit', '/v1/chat/completions', chat({ pad: 'x'.repeat(46 * 2 ** 20) }), 'application/json', 413, 'validation'],
      ['a mistyped path', '/v1/chat/completion', chat(), 'application/json', 404, 'not_found'],
    ])('%s', async (_name, path, body, type, status, errorType) => {
      const res = await post(gateway, path, body, { 'content-type': type, traceparent: PARENT });
      const answer = await res.json() as { type?: string; error: { message: string; type: string } };
      expect(res.status).toBe(status);
      expect(answer.error).toMatchObject({ message: expect.any(String), type: expect.any(String) });
      expect(answer.type).toBe(path === '/v1/messages' ? 'error' : undefined);
      expect(JSON.stringify(answer)).not.toMatch(/node_modules|\.ts:/);
      const mine = (): Record<string, unknown> | undefined => gateway.records('request completed').find((record) => record['request_id'] === res.headers.get('request-id'));
      await gateway.until(() => mine() !== undefined, 'its record');
      expect(mine()).toMatchObject({ level: 'ERROR', status: 'error', error_type: errorType, trace_id: TRACE });
      expect(gateway.records('request received')).toEqual([]);
    }, 30_000);
  });

  test('no worker is 503, in the dialect of the route', async () => {
    const gateway = run('main', { GATEWAY_WORKERS: 'tcp://127.0.0.1:9/none/generate' });
    const res = await post(gateway, '/v1/messages');
    expect(res.status).toBe(503);
    expect(await res.json()).toMatchObject({ type: 'error', error: { type: 'overloaded_error' } });
    expect(await gateway.record('request completed', 'request')).toMatchObject({ error_type: 'unavailable' });
  }, 30_000);

  test('workers as their own processes, disaggregated: both in one trace, their ids on the record', async () => {
    const [prefill, decode] = [run('worker', { ENDPOINT: 'dynamo.prefill.generate' }), run('worker', { ENDPOINT: 'dynamo.decode.generate' })];
    const gateway = run('main', { GATEWAY_MODE: 'disaggregated', GATEWAY_WORKERS: `prefill=${await prefill.address()},decode=${await decode.address()}` });
    const res = await post(gateway, undefined, chat({ stream: true }), { traceparent: PARENT });
    await res.text();
    const records = await Promise.all([gateway, prefill, decode].map((process) => process.record('request completed')));
    expect(records.map((record) => [record['trace_id'], record['request_id']])).toEqual(Array(3).fill([TRACE, res.headers.get('request-id')]));
    expect(records[0]).toMatchObject({ prefill_worker_id: records[1]!['instance_id'], decode_worker_id: records[2]!['instance_id'] });
    expect(await decode.stop()).toBe(0);
  }, 30_000);

  test('workers found through the file store', async () => {
    const root = mkdtempSync(join(tmpdir(), 'dynamo-tracing-kv-'));
    try {
      const discovery = { DYN_DISCOVERY_BACKEND: 'file', DYN_FILE_KV: root };
      const worker = run('worker', discovery);
      await worker.address();
      const gateway = run('main', discovery);
      expect((await post(gateway)).status).toBe(200);
      await worker.record('request completed');
      await worker.stop();
      expect((await post(gateway)).status).toBe(503);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  }, 30_000);

  test.each(['0', '1'])('a proxied stream keeps the ids and the usage, GATEWAY_UPSTREAM_USAGE=%s', async (hidden) => {
    const upstream = run('main');
    const gateway = run('main', { GATEWAY_UPSTREAM: `${await upstream.address()}/v1`, GATEWAY_UPSTREAM_USAGE: hidden });
    const res = await post(gateway, undefined, chat({ stream: true }), { traceparent: PARENT, 'x-request-id': 'order-42' });
    const text = await res.text();
    const [first, second] = await Promise.all([gateway.record('request completed', 'request'), upstream.record('request completed', 'request')]);
    const ids = { trace_id: TRACE, request_id: res.headers.get('request-id'), x_request_id: 'order-42', input_tokens: '3', output_tokens: '5', status: 'success' };
    expect(first).toMatchObject(ids);
    expect(second).toMatchObject({ ...ids, parent_id: expect.stringMatching(/^[0-9a-f]{16}$/) }); // the id of the call between them
    expect(text.includes('"usage"')).toBe(hidden === '0');
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true);
  }, 30_000);

  test('health and metrics routes answer and are silent at info', async () => {
    const gateway = run('main');
    const url = await gateway.address();
    for (const path of ['/health', '/live', '/v1/models', '/metrics']) expect([path, (await fetch(url + path)).status]).toEqual([path, 200]);
    await gateway.stop();
    expect(gateway.lines.filter((line) => line['target'] !== 'app')).toEqual([]);
  }, 30_000);

  test('/metrics of gateway and worker show the requests that they have served', async () => {
    const worker = run('worker', { DYN_SYSTEM_PORT: '0' });
    const gateway = run('main', { GATEWAY_WORKERS: /tcp:\S+/.exec(await worker.address())![0] });
    expect((await post(gateway)).status).toBe(200);
    expect((await post(gateway, undefined, chat({ model: 'invented' }))).status).toBe(404);
    await gateway.until(() => gateway.records('request completed').length === 2, 'both records');
    const ofGateway = (await (await fetch(`${await gateway.address()}/metrics`)).text()).split('\n');
    for (const [model, outcome] of [['mock-model', 'status="success",error_type=""'], ['unknown_model', 'status="error",error_type="not_found"']]) {
      expect(ofGateway).toContainEqual(`dynamo_frontend_requests_total{model="${model}",endpoint="chat_completions",request_type="unary",${outcome}} 1`);
    }
    const ofWorker = (await (await fetch(/http:\S+metrics/.exec(worker.stdout)![0])).text()).split('\n');
    expect(ofWorker).toContainEqual(expect.stringMatching(/^dynamo_component_requests_total\{dynamo_namespace="dynamo",dynamo_component="backend",dynamo_endpoint="generate",worker_id="[0-9a-f]+"\} 1$/));
  }, 30_000);

  test.each([
    ['PORT', { PORT: 'x' }], ['GATEWAY_MODE', { GATEWAY_MODE: 'sideways' }], ['GATEWAY_WORKERS', { GATEWAY_WORKERS: 'http://x' }], ['GATEWAY_UPSTREAM', { GATEWAY_UPSTREAM: 'not a url' }],
    ['DYN_TCP_POOL_SIZE', { DYN_TCP_POOL_SIZE: 'many' }],
  ])('a %s that cannot be used ends the program with its name and exit code 1', async (name, env) => {
    const gateway = run('main', env);
    let stderr = '';
    gateway.child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const code = await new Promise((resolve) => gateway.child.once('exit', resolve));
    expect([code, stderr]).toEqual([1, expect.stringContaining(name)]);
  }, 30_000);
});
