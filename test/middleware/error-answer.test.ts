import { describe, expect, test } from '@jest/globals';
import { APIConnectionError, APIError, APIUserAbortError } from 'openai';
import { DYNAMO_ERROR_NAMES, DynamoTracingError, failureOf, type ErrorCode } from '../../src/errors/index.js';
import { classifyThrown } from '../../src/middleware/error-answer.js';
import type { ErrorType } from '../../src/middleware/error-type.js';

const INTERNAL = { status: 500, type: 'internal', message: 'Internal server error' };
const BAD_GATEWAY = { status: 502, type: 'internal', message: 'Bad gateway' };
const with_ = (fields: object, message = 'secret text'): Error => Object.assign(new Error(message), fields);

class ErrorOf extends Error {
  constructor(message: string, fields: object) {
    super(message);
    Object.assign(this, fields);
  }
}

describe('errors of this package go by their code', () => {
  test.each<[ErrorCode, number, ErrorType, string]>([
    ['ERR_WORKER_OVERLOADED', 529, 'overload', 'Service temporarily overloaded'],
    ['ERR_TOO_MANY_IN_FLIGHT', 529, 'overload', 'Service temporarily overloaded'],
    ['ERR_NO_WORKERS', 503, 'unavailable', 'Service temporarily unavailable'],
    ['ERR_WORKER_UNAVAILABLE', 503, 'unavailable', 'Service temporarily unavailable'],
    ['ERR_UNKNOWN_ENDPOINT', 503, 'unavailable', 'Service temporarily unavailable'],
    ['ERR_CONNECT_FAILED', 503, 'unavailable', 'Service temporarily unavailable'],
    ['ERR_CANCELLED', 499, 'cancelled', 'Request cancelled'],
    ['ERR_ACK_TIMEOUT', 504, 'response_timeout', 'Request timed out'],
    ['ERR_RESPONSE_TIMEOUT', 504, 'response_timeout', 'Request timed out'],
    ['ERR_STREAM_INCOMPLETE', 500, 'internal', 'Internal server error'],
    ['ERR_LISTEN_FAILED', 503, 'unavailable', 'Service temporarily unavailable'],
    ['ERR_GENERATE_FAILED', 503, 'unavailable', 'Service temporarily unavailable'],
    ['ERR_WORKER_ERROR', 500, 'internal', 'Internal server error'],
  ])('%s', (code, status, type, message) => {
    expect(classifyThrown(new DynamoTracingError(code, 'secret address 10.0.0.1'))).toEqual({ status, type, message });
  });

  test.each<[unknown, number, string]>([
    ['invalid_argument', 400, 'Validation: top_p'],
    ['backend_invalid_argument', 400, 'Validation: top_p'],
    ['InvalidArgument', 400, 'Validation: top_p'],
    [{ Backend: 'InvalidArgument' }, 400, 'Validation: top_p'],
    ['ResourceExhausted', 529, 'Service temporarily overloaded'],
    ['worker_overloaded', 529, 'Service temporarily overloaded'],
    ['unavailable', 503, 'Service temporarily unavailable'],
    [{ Backend: 'Cancelled' }, 499, 'Request cancelled'],
    ['response_timeout', 504, 'Request timed out'],
    ['engine_shutdown', 503, 'Service temporarily unavailable'],
    [{ Backend: 'ConnectionTimeout' }, 503, 'Service temporarily unavailable'],
    ['deadline_exceeded', 504, 'Request timed out'],
    ['DeadlineExceeded', 504, 'Request timed out'],
    ['disconnected', 500, 'Internal server error'],
    ['toString', 500, 'Internal server error'],
    [7, 500, 'Internal server error'],
  ])('a worker that says %j', (errorType, status, message) => {
    expect(classifyThrown(new DynamoTracingError('ERR_WORKER_ERROR', 'top_p', { errorType }))).toMatchObject({ status, message });
  });

  test('the client is answered what the router records, whatever the worker says', () => {
    for (const errorType of DYNAMO_ERROR_NAMES) {
      const error = new DynamoTracingError('ERR_WORKER_ERROR', '', { errorType });
      const { recorded, status } = failureOf(error);
      expect(classifyThrown(error)).toMatchObject({ type: recorded, status });
    }
  });

  test('the overload status can be another', () => {
    expect(classifyThrown(new DynamoTracingError('ERR_WORKER_OVERLOADED', ''), { overloadStatus: 503 })).toMatchObject({ status: 503, type: 'overload' });
  });

  test('an error with a status of its own', () => {
    expect(classifyThrown(new DynamoTracingError('ERR_METADATA_TOO_LARGE', 'metadata too large', { status: 431 }))).toEqual({ status: 431, type: 'validation', message: 'metadata too large' });
  });
});

describe('errors of others', () => {
  test.each<[string, unknown, object]>([
    ['a plain error', new Error('secret'), INTERNAL],
    ['text', 'secret', INTERNAL],
    ['undefined', undefined, INTERNAL],
    ['a getter that throws', Object.defineProperty({}, 'code', { get: () => { throw new Error('x'); } }), INTERNAL],
    ['bad JSON, body-parser', with_({ type: 'entity.parse.failed', status: 400, expose: true }, 'Unexpected end'), { status: 400, type: 'validation', message: 'Failed to deserialize the JSON body into the target type: Unexpected end' }],
    ['bad JSON, Fastify', with_({ code: 'FST_ERR_CTP_INVALID_JSON_BODY', statusCode: 400 }, 'Body is not valid'), { status: 400, type: 'validation' }],
    ['too large, body-parser', with_({ type: 'entity.too.large', status: 413, limit: 1000 }), { status: 413, type: 'validation', message: 'Request body exceeds the limit of 1000 bytes' }],
    ['too large, Fastify', with_({ code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413 }), { status: 413, type: 'validation', message: 'Request body exceeds the limit' }],
    ['media type, Fastify', with_({ code: 'FST_ERR_CTP_INVALID_MEDIA_TYPE', statusCode: 415 }), { status: 415, type: 'validation', message: 'Expected request with Content-Type application/json' }],
    ['aborted body, body-parser', with_({ type: 'request.aborted', status: 400 }), { status: 499, type: 'cancelled' }],
    ['schema, Fastify', with_({ validation: [], statusCode: 400 }, 'body/model must be string'), { status: 400, type: 'validation', message: 'body/model must be string' }],
    ['http-errors 404', with_({ status: 404, expose: true }, 'no such model'), { status: 404, type: 'not_found', message: 'no such model' }],
    ['http-errors, not to be shown', with_({ status: 403, expose: false }), { status: 403, type: 'validation', message: 'Forbidden' }],
    ['422 becomes 400', with_({ status: 422 }, 'bad field'), { status: 400, type: 'validation', message: 'bad field' }],
    ['429', with_({ status: 429 }, 'slow down'), { status: 429, type: 'overload', message: 'slow down' }],
    ['501', with_({ status: 501 }), { status: 501, type: 'not_implemented', message: 'Not implemented' }],
    ['502', with_({ status: 502 }), BAD_GATEWAY],
    ['500 and other 5xx', with_({ status: 507 }), INTERNAL],
    ['503', with_({ status: 503 }), { status: 503, type: 'unavailable', message: 'Service temporarily unavailable' }],
    ['504', with_({ statusCode: 504 }), { status: 504, type: 'response_timeout', message: 'Request timed out' }],
    ['529', with_({ status: 529 }), { status: 529, type: 'overload', message: 'Service temporarily overloaded' }],
    ['a status that is none', with_({ status: 200 }), INTERNAL],
    ['AbortSignal', AbortSignal.abort().reason, { status: 499, type: 'cancelled' }],
    ['a timeout signal', new DOMException('x', 'TimeoutError'), { status: 504, type: 'response_timeout' }],
    ['fetch, connection refused', new TypeError('fetch failed', { cause: with_({ code: 'ECONNREFUSED' }) }), { status: 503, type: 'unavailable' }],
    ['fetch, no head in time', new TypeError('fetch failed', { cause: with_({ code: 'UND_ERR_HEADERS_TIMEOUT' }) }), { status: 504, type: 'response_timeout' }],
    ['openai: aborted', new APIUserAbortError(), { status: 499, type: 'cancelled' }],
    ['openai: no connection', new APIConnectionError({ message: 'x' }), { status: 503, type: 'unavailable' }],
    ['fetch, the other side closed', new TypeError('terminated', { cause: with_({ code: 'UND_ERR_SOCKET' }) }), BAD_GATEWAY],
    ['axios: no answer in time', with_({ isAxiosError: true, code: 'ECONNABORTED' }), { status: 504, type: 'response_timeout' }],
    ['axios: aborted', with_({ code: 'ERR_CANCELED', name: 'CanceledError' }), { status: 499, type: 'cancelled' }],
    ['a status of its own and a cause', new ErrorOf('no such model', { status: 404, cause: with_({ code: 'ECONNREFUSED' }) }), { status: 404, type: 'not_found', message: 'no such model' }],
    ['no status and a cause of this package', new Error('secret', { cause: new DynamoTracingError('ERR_NO_WORKERS', 'secret') }), { status: 503, type: 'unavailable', message: 'Service temporarily unavailable' }],
    ['no status and an upstream as the cause', new Error('secret', { cause: APIError.generate(429, { error: { message: 'secret' } }, undefined, new Headers()) }), { status: 429, message: 'Too Many Requests' }],
    ['the AI SDK after its tries', with_({ lastError: with_({ statusCode: 503, responseBody: 'secret' }) }), { status: 503, type: 'unavailable' }],
    ['a type of its own beside a code of Fastify', with_({ type: 'mine', code: 'FST_ERR_CTP_BODY_TOO_LARGE', statusCode: 413 }), { status: 413, message: 'Request body exceeds the limit' }],
    ['a field named validation that is no list of faults', with_({ validation: true }), INTERNAL],
    ['openai: 404', APIError.generate(404, { error: { message: 'no model' } }, undefined, new Headers()), { status: 404, type: 'not_found' }],
  ])('%s', (_title, error, expected) => {
    expect(classifyThrown(error)).toMatchObject(expected);
  });

  test('causes in a circle end', () => {
    const error: Error & { cause?: unknown } = new Error('x');
    error.cause = error;
    expect(classifyThrown(error)).toEqual(INTERNAL);
  });
});

test.each(['x'.repeat(1023) + '\u{1F600}', '\u{1F600}'.repeat(10_000)])('a long message is cut between characters', (text) => {
  const { message } = classifyThrown(with_({ status: 404 }, text));
  expect(message.length).toBeLessThanOrEqual(1024);
  expect(message.length).toBeGreaterThan(1020);
  expect(Buffer.from(message).toString()).toBe(message);
});

test.each<[string, unknown]>([
  ['null', null], ['a function', () => 1], ['a symbol', Symbol('x')], ['a bigint', 1n], ['a status below 400', with_({ status: 304 })], ['a status over 999', with_({ status: 1e9 })], ['a status that is no integer', with_({ status: 404.5 })],
  ['a status as text', with_({ status: '404' })], ['a status that is an object', with_({ status: { valueOf: () => 404 } })], ['a code that is an object', with_({ code: Object.create(null) as object })],
  ['a proxy that throws', new Proxy({}, { get: () => { throw new Error('x'); }, has: () => { throw new Error('x'); } })], ['a revoked proxy', revoked()],
])('%s is an internal error', (_title, thrown) => {
  expect(classifyThrown(thrown)).toEqual(INTERNAL);
});

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
