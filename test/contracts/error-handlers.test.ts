import { once } from 'node:events';
import { Agent, createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import Anthropic from '@anthropic-ai/sdk';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import OpenAI from 'openai';
import { CHAT, chat, post, send } from '../support/client.js';
import { FRAMEWORKS, type TestServer } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';

class PackageError extends Error {
  override readonly name = 'DynamoTracingError';
  constructor(readonly code: string) {
    super('worker 10.0.0.1 said: secret prompt text');
  }
}

describe.each(FRAMEWORKS)("the package's error handler on $name", ({ start }) => {
  let tap: RecordTap;
  let server: TestServer | undefined;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(async () => {
    await server?.close();
    tap.stop();
  });

  test.each([
    ['ERR_NO_WORKERS', 503, 'unavailable'], ['ERR_WORKER_OVERLOADED', 529, 'overload'], ['ERR_PROLOGUE_TIMEOUT', 504, 'response_timeout'], ['ERR_STREAM_INCOMPLETE', 500, 'internal'],
  ])('%s is answered with %i and recorded as %s, without its text or a stack', async (code, status, type) => {
    server = await start({ tracing: { logger: false }, errors: true, native: { [CHAT]: () => { throw new PackageError(code); } } });
    const res = await post(server.port);
    expect(res.status).toBe(status);
    expect(JSON.parse(res.body)).toMatchObject({ error: { message: expect.any(String), code: status } });
    expect(res.body).not.toMatch(/secret|10\.0\.0\.1|error-handlers\.test/);
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: type });
  });

  test.each([['malformed JSON', '{"a":', 400], ['a body over the limit', chat({ pad: 'x'.repeat(2 ** 20) }), 413]])('%s is a validation error in the shape of the route', async (_name, body, status) => {
    server = await start({ tracing: { logger: false }, errors: true, native: { '/v1/messages': (answers) => answers.json(200, {}) } });
    const res = await post(server.port, '/v1/messages', body);
    expect([res.status, JSON.parse(res.body)]).toMatchObject([status, { type: 'error', request_id: res.headers['request-id'] }]);
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'validation' });
  });

  test.each([[CHAT, /data: \{"error":.*\n\ndata: \[DONE\]\n\n$/], ['/v1/messages', /event: error\ndata: \{"type":"error",.*\n\n$/]])('a handler of %s that throws inside its stream ends it with an error event', async (path, ending) => {
    server = await start({ tracing: { logger: false }, errors: true, raw: { [path]: (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
      throw new PackageError('ERR_STREAM_INCOMPLETE');
    } } });
    const res = await post(server.port, path, chat({ stream: true }));
    expect(res.status).toBe(200);
    expect(res.body).toMatch(ending);
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'internal' });
  });

  test('a handler that throws after the head of another body cuts it short', async () => {
    server = await start({ tracing: { logger: false }, errors: true, raw: { [CHAT]: (_req, res) => {
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      res.write('{');
      throw new Error('planted');
    } } });
    await expect(post(server.port)).rejects.toThrow();
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'internal' });
  });

  test.each([['GET', 200], ['GET', 204], ['GET', 304], ['HEAD', 200]])('%s: an error after headers for another body and status %d is answered with headers of its own, and the connection goes on', async (method, status) => {
    server = await start({ tracing: { logger: false }, errors: true, raw: {
      '/fails': (_req, res) => {
        for (const [name, value] of Object.entries(OF_THE_BODY)) res.setHeader(name, value);
        for (const [name, value] of Object.entries(KEPT)) res.setHeader(name, value);
        res.statusCode = status;
        res.statusMessage = 'Planted';
        throw new Error('planted');
      },
      '/works': (_req, res) => void res.end('works'),
    } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      const failed = await send(server.port, { agent, method, path: '/fails' });
      expect(failed).toMatchObject({ status: 500, statusMessage: 'Internal Server Error', headers: { ...KEPT, 'cache-control': 'no-store', connection: 'keep-alive' } });
      expect(failed.headers['content-type']).toMatch(/^application\/json/);
      expect(Object.keys(failed.headers).filter((name) => name !== 'content-length' && name in OF_THE_BODY && name !== 'cache-control')).toEqual([]);
      const whole = (await send(server.port, { path: '/fails' })).body;
      expect(failed.body).toBe(method === 'HEAD' ? '' : whole);
      expect(failed.headers['content-length']).toBe(String(Buffer.byteLength(whole)));
      expect(JSON.parse(whole)).toMatchObject({ error: { code: 500 } });
      const next = await send(server.port, { agent, path: '/works' });
      expect([next.status, next.body, next.localPort]).toEqual([200, 'works', failed.localPort]);
    } finally {
      agent.destroy();
    }
  });

  test.each([
    [CHAT, 'data: {"choices":[{"del', [{ data: '{"choices":[{"del' }, { data: expect.stringContaining('"code":500') }, { data: '[DONE]' }]],
    [CHAT, 'data: a\r\n\r\n', [{ data: 'a' }, { data: expect.stringContaining('"code":500') }, { data: '[DONE]' }]],
    [CHAT, 'event: chunk\r', [{ data: expect.stringContaining('"code":500') }, { data: '[DONE]' }]],
    ['/v1/messages', 'event: content_block_delta\ndata: {"type"', [{ event: 'content_block_delta', data: '{"type"' }, { event: 'error', data: expect.stringContaining('"api_error"') }]],
  ])('a stream of %s that fails after %j ends with an error event of its own', async (path, cut, expected) => {
    server = await start({ tracing: { logger: false }, errors: true, raw: { [path]: (_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.write(cut);
      throw new Error('planted');
    } } });
    const { body } = await post(server.port, path, chat({ stream: true }));
    const events: EventSourceMessage[] = [];
    createParser({ onEvent: (event) => events.push(event) }).feed(body);
    expect(events).toMatchObject(expected);
  });

  test('a stream whose head was given to writeHead alone ends with an error event', async () => {
    server = await start({ tracing: { logger: false, echoRequestId: false, echoXRequestId: false }, errors: true, raw: { [CHAT]: (_req, res) => {
      for (const name of res.getHeaderNames()) res.removeHeader(name);
      res.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' });
      res.write('data: a\n\n');
      throw new Error('planted');
    } } });
    expect((await post(server.port)).body).toMatch(/data: \[DONE\]\n\n$/);
  });

  test.each<[string, (res: ServerResponse) => void]>([
    ['before', (res) => res.setHeader('content-length', '200').writeHead(200, { 'content-type': 'text/event-stream' })],
    ['with the head', (res) => res.writeHead(200, { 'content-type': 'text/event-stream', 'content-length': '200' })],
  ])('a stream of a declared length, set %s, is cut short: nothing is written over its length', async (_title, begin) => {
    server = await start({ tracing: { logger: false }, errors: true, raw: { [CHAT]: (_req, res) => {
      begin(res);
      res.write(`data: ${'a'.repeat(190)}\n\n`);
      throw new Error('planted');
    } } });
    await expect(post(server.port)).rejects.toThrow(/aborted|hang up/);
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'internal' });
  });

  test('a handler that throws after it has ended its response leaves it whole', async () => {
    const whole = 'x'.repeat(2 ** 24);
    server = await start({ tracing: { logger: false }, errors: true, raw: { [CHAT]: (_req, res) => {
      res.end(whole);
      throw new Error('planted');
    } } });
    const res = await post(server.port);
    expect([res.status, res.body.length]).toEqual([200, whole.length]);
    expect(await tap.next('request completed')).toMatchObject({ status: 'success' });
  });

  test.each<[number, number, string]>([[401, 502, 'internal'], [403, 502, 'internal'], [404, 404, 'not_found'], [422, 400, 'validation'], [429, 429, 'overload'], [500, 502, 'internal'], [503, 503, 'unavailable'], [529, 529, 'overload']])('an upstream that answers %i to a client of an official SDK is answered with %i, recorded as %s, and not quoted', async (given, status, type) => {
    const upstream = createServer((req, res) => void req.resume().on('end', () => res.writeHead(given, { 'content-type': 'application/json' }).end('{"error":{"message":"secret of key sk-1","type":"secret"}}'))).listen(0, '127.0.0.1');
    try {
      await once(upstream, 'listening');
      const settings = { apiKey: 'k', maxRetries: 0, baseURL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` };
      const request = { model: 'm', messages: [{ role: 'user' as const, content: 'hi' }] };
      server = await start({ tracing: { logger: false }, errors: true, native: {
        [CHAT]: () => new OpenAI(settings).chat.completions.create(request),
        '/v1/messages': () => new Anthropic(settings).messages.create({ ...request, max_tokens: 1 }),
      } });
      const [openai, anthropic] = [await post(server.port), await post(server.port, '/v1/messages')];
      expect([openai.status, JSON.parse(openai.body)]).toMatchObject([status, { error: { code: status, message: expect.any(String) } }]);
      expect([anthropic.status, JSON.parse(anthropic.body)]).toMatchObject([status, { type: 'error', error: { message: expect.any(String) }, request_id: anthropic.headers['request-id'] }]);
      expect(openai.body + anthropic.body).not.toMatch(/secret|sk-1|request-id/);
      expect([await tap.next('request completed', 1), await tap.next('request completed', 2)]).toMatchObject([{ error_type: type }, { error_type: type }]);
    } finally {
      upstream.closeAllConnections();
      upstream.close();
    }
  });

  test('a dialect that does not exist, from classify, is answered in the shape of OpenAI', async () => {
    server = await start({ tracing: { logger: false, observeResponses: false, classify: () => ({ dialect: 'constructor' as never, kind: 'system' }) }, errors: true, raw: { '/own': () => { throw new Error('planted'); } } });
    const res = await post(server.port, '/own');
    expect([res.status, JSON.parse(res.body)]).toMatchObject([500, { error: { code: 500 } }]);
  });
});

const OF_THE_BODY = {
  'content-length': '5', 'transfer-encoding': 'chunked', trailer: 'x-sum', 'content-encoding': 'gzip', 'content-range': 'bytes 0-4/5', 'accept-ranges': 'bytes', 'content-disposition': 'attachment',
  'content-language': 'en', 'content-location': '/x', 'content-md5': 'x', 'content-digest': 'sha-256=:x:', 'repr-digest': 'sha-256=:x:', digest: 'x', etag: '"a"', 'last-modified': 'Sat, 21 Nov 2026 00:00:00 GMT',
  expires: 'Sat, 21 Nov 2099 00:00:00 GMT', age: '1', 'cache-control': 'public, max-age=3600',
};
const KEPT = { vary: 'Origin', 'access-control-allow-origin': '*', 'retry-after': '3', 'x-own': 'kept' };
