import { describe, expect, test } from '@jest/globals';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { DIALECTS, type DialectName } from '../../src/middleware/dialects/index.js';
import { errorBody, streamErrorEvent } from '../../src/middleware/error-body.js';
import { observe } from './observation/observe.js';

const ID = '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b';

test.each([
  [400, 'invalid_request_error', 'invalid_request_error'],
  [401, 'authentication_error', 'authentication_error'],
  [403, 'permission_error', 'permission_error'],
  [404, 'not_found_error', 'not_found_error'],
  [413, 'invalid_request_error', 'request_too_large'],
  [415, 'invalid_request_error', 'invalid_request_error'],
  [429, 'rate_limit_error', 'rate_limit_error'],
  [499, 'request_cancelled', 'request_cancelled'],
  [500, 'internal_server_error', 'api_error'],
  [503, 'service_unavailable_error', 'overloaded_error'],
  [504, 'timeout_error', 'timeout_error'],
  [529, 'overloaded_error', 'overloaded_error'],
])('%d: OpenAI %s, Anthropic %s', (status, openai, anthropic) => {
  expect(errorBody('openai', status, 'text')).toEqual({ error: { message: 'text', type: openai, param: null, code: status } });
  expect(errorBody('anthropic', status, 'text', ID)).toEqual({ type: 'error', error: { type: anthropic, message: 'text' }, request_id: ID });
});

describe('the shape is named by an API or a dialect', () => {
  test.each(Object.entries(DIALECTS))('%s', (name, { api }) => {
    expect(errorBody(name as DialectName, 404, 'text', ID)).toEqual(errorBody(api, 404, 'text', ID));
    expect(streamErrorEvent(name as DialectName, 404, 'text', ID)).toBe(streamErrorEvent(api, 404, 'text', ID));
    expect(api).toBe(name.startsWith('anthropic') ? 'anthropic' : 'openai'); // as the types say
  });

  test('the types follow the name', () => {
    expect(errorBody('openai-chat', 404, 'text').error.code).toBe(404);
    expect(errorBody('anthropic-messages', 404, 'text', ID).request_id).toBe(ID);
    // @ts-expect-error -- no dialect
    expect(() => errorBody('open-ai', 404, 'text')).toThrow();
  });

  test.each([...['open-ai', 'constructor', '__proto__', '', undefined, null, 7, ['openai'], Symbol('x')].map((name) => [name])])('%p is refused', (name) => {
    const refused = expect.objectContaining({ code: 'ERR_OPTION_INVALID', message: expect.stringContaining("one of 'openai', 'anthropic', 'openai-chat'") });
    expect(() => errorBody(name as 'openai', 404, 'text')).toThrow(refused);
    expect(() => streamErrorEvent(name as 'openai', 404, 'text')).toThrow(refused);
  });
});

test('without a request id there is no such field', () => {
  expect(errorBody('anthropic', 404, 'text')).toEqual({ type: 'error', error: { type: 'not_found_error', message: 'text' } });
});

/** A fetch that answers everything the same. */
function answering(status: number, body: string, contentType: string): typeof fetch {
  return async () => new Response(body, { status, headers: { 'content-type': contentType, 'request-id': ID, 'x-request-id': ID } });
}

const CHAT = { model: 'm', messages: [{ role: 'user' as const, content: 'x' }] };

describe('the official SDKs understand it', () => {
  const openai = (status: number, body: string, type: string): OpenAI => new OpenAI({ apiKey: 'k', maxRetries: 0, fetch: answering(status, body, type) });
  const anthropic = (status: number, body: string, type: string): Anthropic => new Anthropic({ apiKey: 'k', maxRetries: 0, fetch: answering(status, body, type) });

  test('OpenAI, a body', async () => {
    const body = JSON.stringify(errorBody('openai', 404, 'no such model'));
    await expect(openai(404, body, 'application/json').chat.completions.create(CHAT)).rejects.toMatchObject({ status: 404, message: '404 no such model', type: 'not_found_error', code: 404, param: null, requestID: ID });
  });

  test('OpenAI, in a stream', async () => {
    const stream = await openai(200, streamErrorEvent('openai', 500, 'Internal server error'), 'text/event-stream').chat.completions.create({ ...CHAT, stream: true });
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ message: 'Internal server error', type: 'internal_server_error', code: 500 });
  });

  test('Anthropic, a body', async () => {
    const body = JSON.stringify(errorBody('anthropic', 529, 'busy', ID));
    await expect(anthropic(529, body, 'application/json').messages.create({ ...CHAT, max_tokens: 1 })).rejects.toMatchObject({ status: 529, type: 'overloaded_error', requestID: ID, error: { request_id: ID } });
  });

  test('Anthropic, in a stream', async () => {
    const stream = await anthropic(200, streamErrorEvent('anthropic', 500, 'Internal server error', ID), 'text/event-stream').messages.create({ ...CHAT, max_tokens: 1, stream: true });
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ type: 'api_error', error: { error: { message: 'Internal server error' } } });
  });
});

test('line feeds in a message do not break the event', () => {
  expect(streamErrorEvent('openai', 500, 'a\n\ndata: b')).toBe('\n\ndata: {"error":{"message":"a\\n\\ndata: b","type":"internal_server_error","param":null,"code":500}}\n\ndata: [DONE]\n\n');
});

test('the observer sees both as errors', () => {
  expect(observe([streamErrorEvent('openai', 500, 'm')]).error).toEqual({ message: 'm', type: 'internal_server_error', code: 500 });
  expect(observe([streamErrorEvent('anthropic', 500, 'm')], { dialect: 'anthropic-messages' }).error).toMatchObject({ message: 'm', type: 'api_error' });
});
