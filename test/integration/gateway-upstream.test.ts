/** The example gateway before an OpenAI-compatible server, as a Dynamo frontend is one. */
import { createServer, type IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createMetrics } from 'dynamo-tracing/metrics';
import { createApp } from '../../examples/gateway/app.js';
import { watchServedModels } from '../../examples/gateway/served-models.js';
import { CHAT, chat, post, send } from '../support/client.js';
import { closeAfterEach, listening } from '../support/listening.js';
import { RecordTap } from '../support/records.js';

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

describe('the example gateway before an upstream', () => {
  let tap: RecordTap;
  let seen: Seen[];
  closeAfterEach();
  beforeEach(() => {
    tap = new RecordTap();
    seen = [];
  });
  afterEach(() => tap.stop());

  /** An upstream that remembers what it was asked; the gateway before it. */
  async function start(answers: Readonly<Record<string, readonly [number, unknown]>> = {}): Promise<{ port: number; url: string }> {
    const upstream = createServer((req, res) => {
      void req.setEncoding('utf8').toArray().then((parts) => {
        seen.push({ method: req.method, url: req.url, headers: req.headers, body: parts.join('') });
        const [status, body] = answers[req.url!] ?? [200, { from: req.url }];
        res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      });
    }).listen(0, '127.0.0.1');
    const url = `http://127.0.0.1:${await listening(upstream)}`;
    return { url, port: await listening(createApp({ model: 'unused', upstream: { url: `${url}/v1`, usage: true }, tracing: { logger: false } }).listen(0, '127.0.0.1')) };
  }

  test.each(['/v1/chat/completions', '/v1/completions', '/v1/embeddings', '/v1/responses', '/v1/messages', '/v1/messages/count_tokens'])('POST %s goes on with its body as it is, and its answer comes back', async (path) => {
    const { port } = await start();
    const body = JSON.stringify({ model: 'any', stream: false, n: 1.5, text: 'é' });
    expect(await post(port, path, body)).toMatchObject({ status: 200, body: JSON.stringify({ from: path }) });
    expect(seen).toMatchObject([{ method: 'POST', url: path, body, headers: { 'content-type': 'application/json', traceparent: expect.any(String) } }]);
  });

  test.each(['/v1/models', '/v1/models/m', '/v1/models/org/m%20x', '/v1/models?limit=2'])('GET %s goes on, its query too, and is no inference request', async (path) => {
    const { port } = await start();
    expect(await send(port, { path })).toMatchObject({ status: 200, body: JSON.stringify({ from: path }) });
    expect(seen).toMatchObject([{ method: 'GET', url: path, body: '' }]);
    expect(tap.of('request completed')).toEqual([]);
  });

  test('an unknown model is answered as the upstream answers it', async () => {
    const { port } = await start({ '/v1/models/m': [404, { message: 'Model not found', type: 'Not Found', code: 404 }] });
    expect(await send(port, { path: '/v1/models/m' })).toMatchObject({ status: 404, body: '{"message":"Model not found","type":"Not Found","code":404}' });
  });

  test("Dynamo's metadata, session and routing headers go on, the client's own request id and cookies do not", async () => {
    const { port } = await start();
    const forwarded = {
      'x-dynamo-meta-tenant': 'a', 'x-dynamo-session-id': 's1', 'x-dynamo-parent-session-id': 's0', 'x-dynamo-session-final': 'true', 'x-dynamo-worker-instance-id': '11234302777575265656', 'x-dynamo-dp-rank': '1',
      'x-dynamo-request-priority': '2', 'x-tenant-id': 't', 'x-claude-code-session-id': 'c', 'x-codex-turn-metadata': 'm', 'thread-id': 'th', 'x-session-id': 's', 'x-parent-session-id': 'p', 'x-worker-instance-id': '3',
      'x-prefill-instance-id': '4', 'x-dp-rank': '0', 'x-prefill-dp-rank': '0', 'x-data-parallel-rank': '0', authorization: 'Bearer k',
    };
    await post(port, CHAT, chat(), { ...forwarded, 'x-dynamo-request-id': '2b1c7a52-8b1f-4a58-9c8e-0f3a7f0c1d2e', cookie: 'c=1', 'x-forwarded-for': '10.0.0.1', 'x-dynamite': 'no' });
    expect(seen[0]!.headers).toMatchObject({ ...forwarded, 'request-id': '2b1c7a52-8b1f-4a58-9c8e-0f3a7f0c1d2e' });
    for (const name of ['x-dynamo-request-id', 'cookie', 'x-forwarded-for', 'x-dynamite']) expect(seen[0]!.headers).not.toHaveProperty(name);
  });

  test('worker ids that the upstream tells are on the record', async () => {
    const workers = '{"nvext":{"worker_id":{"prefill_worker_id":11234302777575265656,"decode_worker_id":18446744073709551615}}}';
    const upstream = createServer((req, res) => void req.resume().on('end', () => res.setHeader('content-type', 'application/json').end(workers))).listen(0, '127.0.0.1');
    const url = `http://127.0.0.1:${await listening(upstream)}`;
    await post(await listening(createApp({ model: 'm', upstream: { url, usage: false }, tracing: { logger: false } }).listen(0, '127.0.0.1')), '/v1/responses');
    expect(await tap.next('request completed')).toMatchObject({ prefill_worker_id: '11234302777575265656', decode_worker_id: '18446744073709551615' });
  });

  describe('labels of /metrics', () => {
    const labels = async (isServed: (model: string) => boolean | undefined): Promise<string[]> => {
      const metrics = createMetrics({ env: {}, isServed });
      for (const [model, status] of [['m', 'success'], ['invented', 'error'], ['invented-2', 'error']] as const) {
        metrics.onCompleted({ model, requestedModel: model, endpoint: 'e', requestType: 'unary', status, errorType: 'not_found', elapsedMs: 1 });
      }
      return [...(await metrics.registry.metrics()).matchAll(/^\w+requests_total\{model="([^"]+)"/gm)].map(([, model]) => model!);
    };

    test('are the models that the upstream says it serves', async () => {
      const { url } = await start({ '/v1/models': [200, { object: 'list', data: [{ id: 'm' }, { id: 'n' }] }] });
      expect(await labels(await watchServedModels(`${url}/v1/`))).toEqual(['m', 'unknown_model']);
    });

    test.each([[401, { error: 'no key' }], [200, 'nonsense']])('are those that were answered for, where it does not say (%i %j)', async (status, body) => {
      const { url } = await start({ '/v1/models': [status, body] });
      expect(await labels(await watchServedModels(url))).toEqual(['m', 'unknown_model']);
    });
  });
});

describe('the example gateway with workers of its own', () => {
  closeAfterEach();
  test('tells of its one model, and counts the tokens of a message', async () => {
    const port = await listening(createApp({ model: 'org/m', tracing: { logger: false } }).listen(0, '127.0.0.1'));
    expect(JSON.parse((await send(port, { path: '/v1/models/org/m' })).body)).toMatchObject({ id: 'org/m', object: 'model' });
    expect(await send(port, { path: '/v1/models/m' })).toMatchObject({ status: 404 });
    expect(await post(port, '/v1/messages/count_tokens', chat({ model: 'org/m', system: 'be short', messages: [{ role: 'user', content: 'one two three' }] }))).toMatchObject({ status: 200, body: '{"input_tokens":5}' });
    expect(await post(port, '/v1/messages/count_tokens', chat({ model: 'other' }))).toMatchObject({ status: 404 });
  });
});
