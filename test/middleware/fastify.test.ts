import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fastify5, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import fastify4 from 'fastify4';
import { traceMixin } from 'dynamo-tracing';
import { dynamoTracing, dynamoTracingErrors } from 'dynamo-tracing/fastify';
import { CHAT } from '../support/client.js';
import { RecordTap } from '../support/records.js';

const UUID = '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b';
const answer = { id: 'r-1', choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } };

/** Lines that a pino of the test writes. */
function sink(): { stream: Writable; lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  return { lines, stream: new Writable({ write: (chunk: Buffer, _encoding, done) => {
    for (const line of chunk.toString().trim().split('\n')) lines.push(JSON.parse(line) as Record<string, unknown>);
    done();
  } }) };
}

/** One request over a real socket; the app listens from the first on. */
async function call(app: FastifyInstance, url: string, { payload, headers = {} }: { payload?: unknown; headers?: Record<string, string> } = {}): Promise<{ status: number; headers: Headers; body: string; json: () => Record<string, unknown> }> {
  if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const init = payload === undefined ? {} : { method: 'POST', body: JSON.stringify(payload) };
  const res = await fetch(`http://127.0.0.1:${port}${url}`, { ...init, headers: { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers } });
  const body = await res.text();
  return { status: res.status, headers: res.headers, body, json: () => JSON.parse(body) as Record<string, unknown> };
}

describe.each([['Fastify 5', fastify5], ['Fastify 4', fastify4 as unknown as typeof fastify5]])('the plugin on %s', (_name, create) => {
  let tap: RecordTap;
  const apps: FastifyInstance[] = [];
  const fastify = (options: FastifyServerOptions = {}): FastifyInstance => {
    const app = create(options) as unknown as FastifyInstance;
    apps.push(app);
    return app;
  };
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(async () => {
    tap.stop();
    await Promise.all(apps.splice(0).map((app) => app.close().catch(() => undefined)));
  });

  test('covers routes of other plugins, registered before or after, with its own trace for each request', async () => {
    const app = fastify();
    await app.register(async (child) => void child.get('/before', (request) => ({ id: request.trace.requestId })));
    await app.register(dynamoTracing, { logger: false });
    await app.register(async (child) => void child.get('/inner', (request) => ({ id: request.trace.requestId })), { prefix: '/llm' });
    const answers = [await call(app, '/llm/inner'), await call(app, '/llm/inner')];
    expect(new Set(answers.map((res) => res.json()['id'])).size).toBe(2);
    for (const res of answers) expect(res.headers.get('request-id')).toBe(res.json()['id']);
  });

  test("Fastify's own request id is the canonical id, in its own log lines too", async () => {
    const { stream, lines } = sink();
    const app = fastify({ logger: { stream, mixin: traceMixin } });
    await app.register(dynamoTracing, { logger: app.log });
    app.post(CHAT, (request) => {
      request.log.info('from the handler');
      request.trace.log.info('from trace.log');
      return answer;
    });
    await call(app, CHAT, { payload: { model: 'm' }, headers: { 'request-id': UUID } });
    await tap.next('request completed');
    await app.close();
    for (const line of lines.filter(({ reqId }) => reqId !== undefined)) expect(line['reqId']).toBe(UUID);
    expect(lines.find(({ msg }) => msg === 'from the handler')).toMatchObject({ request_id: UUID, trace_id: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(lines.find(({ msg }) => msg === 'from trace.log')).toMatchObject({ request_id: UUID });
    expect(lines.filter(({ msg }) => msg === 'inference request completed')).toContainEqual(expect.objectContaining({ status: 'success', output_tokens: 2, request_id: UUID }));
  });

  test("with fastifyRequestId: 'own' the application's genReqId stays", async () => {
    const app = fastify({ genReqId: () => 'mine' });
    await app.register(dynamoTracing, { logger: false, fastifyRequestId: 'own' });
    app.get('/', (request) => ({ fastify: request.id, ours: request.trace.requestId }));
    expect((await call(app, '/')).json()).toMatchObject({ fastify: 'mine', ours: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  });

  test('the error handler answers in the shape of the route and tells the record', async () => {
    const app = fastify();
    await app.register(dynamoTracing, { logger: false });
    app.setErrorHandler(dynamoTracingErrors());
    app.post(CHAT, () => {
      throw Object.assign(new Error('secret'), { statusCode: 503 });
    });
    app.post('/v1/messages', { schema: { body: { type: 'object', required: ['model'] } } }, () => answer);
    const refused = await call(app, CHAT, { payload: { model: 'm' } });
    expect([refused.status, refused.json()]).toEqual([503, { error: { message: 'Service temporarily unavailable', type: 'service_unavailable_error', param: null, code: 503 } }]);
    const invalid = await call(app, '/v1/messages', { payload: {} });
    expect([invalid.status, invalid.json()]).toMatchObject([400, { type: 'error', error: { type: 'invalid_request_error' } }]);
    expect(tap.of('request completed').map((entry) => entry.fields['error_type'])).toEqual(['unavailable', 'validation']);
  });

  test('a strict request id is refused before any handler, in the shape of the route', async () => {
    const app = fastify();
    await app.register(dynamoTracing, { logger: false, onInvalidRequestId: 'reject' });
    app.post('/v1/messages', () => {
      throw new Error('the handler ran');
    });
    const res = await call(app, '/v1/messages', { payload: {}, headers: { 'request-id': 'x' } });
    expect([res.status, res.json()]).toMatchObject([400, { type: 'error', error: { message: 'Validation: header request-id must be a valid UUID' } }]);
  });

  test('unknown options are refused when the plugin is registered', async () => {
    const app = fastify();
    void app.register(dynamoTracing, { nonsense: true } as never);
    await expect(app.ready()).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path: 'dynamoTracing.nonsense' });
  });
});

describe('a Fetch Response that a handler returns', () => {
  let tap: RecordTap;
  let app: FastifyInstance;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(async () => {
    tap.stop();
    await app.close();
  });

  test.each([['Fastify 5', fastify5], ['Fastify 4', fastify4 as unknown as typeof fastify5]])('is watched on %s', async (_name, create) => {
    app = create();
    await app.register(dynamoTracing, { logger: false });
    app.post(CHAT, (_request, reply) => reply.send(new Response(`data: ${JSON.stringify({ ...answer, choices: [{ delta: { content: 'x' } }] })}\n\ndata: [DONE]\n\n`, { headers: { 'content-type': 'text/event-stream' } })));
    expect((await call(app, CHAT, { payload: { model: 'm', stream: true } })).body).toContain('[DONE]');
    await tap.next('request completed');
    expect(tap.of('request completed').map(({ fields }) => fields)).toEqual([expect.objectContaining({ status: 'success', output_tokens: 2, response_id: 'r-1' })]);
  });
});
