import { createServer, type RequestListener, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import Anthropic from '@anthropic-ai/sdk';
import createError from 'http-errors';
import OpenAI from 'openai';
import { classifyThrown } from '../../src/middleware/error-answer.js';
import { upstreamStatus } from '../../src/middleware/upstream-error.js';

const CHAT = { model: 'm', messages: [{ role: 'user' as const, content: 'x' }] };

describe('the official clients, against a server', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  async function upstream(listener: RequestListener): Promise<{ openai: OpenAI; anthropic: Anthropic }> {
    server = createServer((req, res) => void req.resume().on('end', () => listener(req, res))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { openai: new OpenAI({ apiKey: 'k', baseURL, maxRetries: 0, timeout: 2000 }), anthropic: new Anthropic({ apiKey: 'k', baseURL, maxRetries: 0, timeout: 2000 }) };
  }

  async function thrownBy(call: () => Promise<unknown>): Promise<unknown> {
    return call().then(() => { throw new Error('nothing was thrown'); }, (error: unknown) => error);
  }

  test.each([400, 401, 402, 403, 404, 408, 409, 413, 415, 422, 429, 460, 499, 500, 501, 502, 503, 504, 520, 529])('%i', async (status) => {
    const clients = await upstream((_req, res) => res.writeHead(status, { 'content-type': 'application/json' }).end('{"error":{"message":"secret","type":"entity.parse.failed","code":"ABORT_ERR"}}'));
    const errors = [await thrownBy(() => clients.openai.chat.completions.create(CHAT)), await thrownBy(() => clients.anthropic.messages.create({ ...CHAT, max_tokens: 1 }))];
    for (const error of errors) {
      expect(upstreamStatus(error)).toBe(status);
      expect(classifyThrown(error).message).not.toContain('secret');
    }
    expect(classifyThrown(errors[0])).toEqual(classifyThrown(errors[1]));
  });

  test('an empty or broken body', async () => {
    const clients = await upstream((req, res) => res.writeHead(401).end(req.url === '/messages' ? undefined : '<html>secret'));
    for (const call of [() => clients.openai.chat.completions.create(CHAT), () => clients.anthropic.messages.create({ ...CHAT, max_tokens: 1 })]) {
      expect(classifyThrown(await thrownBy(call))).toEqual({ status: 502, type: 'internal', message: 'Bad gateway' });
    }
  });

  test.each<[string, string, number]>([
    ['data: {"error":{"message":"secret","code":503}}\n\n', 'event: error\ndata: {"type":"error","error":{"type":"service_unavailable_error","message":"secret"}}\n\n', 503],
    ['data: {"error":{"message":"secret","type":"rate_limit_error"}}\n\n', 'event: error\ndata: {"type":"error","error":{"type":"rate_limit_error","message":"secret"}}\n\n', 429],
    ['data: {"error":{"message":"secret","type":"overloaded_error"}}\n\n', 'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"secret"}}\n\n', 529],
    ['data: {"error":{"message":"secret","type":"constructor","code":"ECONNREFUSED"}}\n\n', 'event: error\ndata: {"type":"error","error":{"type":"toString","message":"secret"}}\n\n', 502],
    ['data: {"error":"secret"}\n\n', 'event: error\ndata: secret\n\n', 502],
  ])('an error event inside a stream: %s', async (openaiEvent, anthropicEvent, status) => {
    const clients = await upstream((req, res) => res.writeHead(200, { 'content-type': 'text/event-stream' }).end(req.url?.endsWith('/messages') === true ? anthropicEvent : openaiEvent));
    const streams = [() => clients.openai.chat.completions.create({ ...CHAT, stream: true }), () => clients.anthropic.messages.create({ ...CHAT, max_tokens: 1, stream: true })];
    for (const stream of streams) {
      const error = await thrownBy(async () => (await stream())[Symbol.asyncIterator]().next());
      expect(upstreamStatus(error)).toBe(status === 502 ? 0 : status);
      expect(classifyThrown(error)).toMatchObject({ status, message: expect.not.stringContaining('secret') });
    }
  });

  test('a connection that closes before an answer, an answer that is late, and a call that is given up, are no answers', async () => {
    const clients = await upstream((req, res) => (req.headers['x-late'] === undefined ? void res.destroy() : undefined));
    const closed = await thrownBy(() => clients.openai.chat.completions.create(CHAT));
    const late = await thrownBy(() => clients.anthropic.messages.create({ ...CHAT, max_tokens: 1 }, { headers: { 'x-late': '1' }, timeout: 20 }));
    const givenUp = await thrownBy(() => clients.openai.chat.completions.create(CHAT, { signal: AbortSignal.abort() }));
    expect([closed, late, givenUp].map(upstreamStatus)).toEqual([undefined, undefined, undefined]);
    expect([closed, late, givenUp].map((error) => classifyThrown(error).status)).toEqual([502, 504, 499]);
  });
});

test('a Response of fetch that is thrown', () => {
  expect(upstreamStatus(new Response('secret', { status: 418 }))).toBe(418);
});

// Each as the client of that name makes it, without what is not looked at.
test.each<[string, object, number]>([
  ['axios', { isAxiosError: true, code: 'ERR_BAD_REQUEST', response: { status: 401, headers: {} } }, 401],
  ['axios, a redirect', { isAxiosError: true, response: { status: 302, headers: {} } }, 302],
  ['axios, from JSON', { isAxiosError: true, status: 403 }, 403],
  ['got', { code: 'ERR_NON_2XX_3XX_RESPONSE', response: { statusCode: 404, headers: {} } }, 404],
  ['openai 4, groq', { status: 401, headers: { 'x-request-id': 'a' }, error: { message: 'secret' } }, 401],
  ['Mistral', { statusCode: 422, body: 'secret', headers: new Headers() }, 422],
  ['AI SDK', { statusCode: 401, responseHeaders: {}, responseBody: 'secret' }, 401],
  ['undici', { code: 'UND_ERR_RESPONSE', statusCode: 503, headers: {} }, 503],
  ['@google/genai', { name: 'ApiError', status: 404, message: '{"error":{"message":"secret"}}' }, 404],
  ['@google/genai, inside a stream', { name: 'ApiError', status: 429, message: 'got status: BUSY. {"error":{"message":"secret"}}' }, 429],
  ['AWS', { $fault: 'client', $metadata: { httpStatusCode: 400 } }, 400],
])('the error of %s', (_client, fields, status) => {
  const error = Object.assign(new Error('secret'), fields);
  expect(upstreamStatus(error)).toBe(status);
  expect(classifyThrown(error).message).not.toContain('secret');
});

class APIError extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

test.each<[string, unknown]>([
  ['http-errors', createError(404, 'text')],
  ['http-errors with headers', createError(401, 'text', { headers: { 'www-authenticate': 'Bearer' } })],
  ['a class of the app with the name of an SDK\'s', new APIError(409, 'text')],
  ['NestJS', Object.assign(new Error('text'), { status: 404, response: { statusCode: 404, message: 'text' } })],
  ['one with details', Object.assign(new Error('text'), { status: 400, error: { field: 'x' }, response: 'text' })],
])("the app's own error keeps its text: %s", (_title, error) => {
  expect(upstreamStatus(error)).toBeUndefined();
  expect(classifyThrown(error).message).toBe('text');
});

test.each([
  ['a message', { message: { toString: 1 }, status: 500 }],
  ['a code', { code: Object.create(null) as object, status: 500 }],
])('an error with %s that has no form as text tells of no upstream', (_title, error) => {
  expect(upstreamStatus(error)).toBeUndefined();
});
