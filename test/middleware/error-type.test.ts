import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { classifyError, errorDetail, errorTypeOfObserved, type ErrorType, type NamedError } from '../../src/middleware/error-type.js';

describe('an error status', () => {
  test.each<[number, string | undefined, ErrorType]>([
    [529, undefined, 'overload'],
    [429, undefined, 'overload'],
    [400, undefined, 'validation'],
    [400, 'Validation: temperature', 'validation'],
    [400, 'something else', 'internal'],
    [404, undefined, 'not_found'],
    [501, undefined, 'not_implemented'],
    [503, undefined, 'unavailable'],
    [499, undefined, 'cancelled'],
    [401, undefined, 'validation'],
    [413, 'too large', 'validation'],
    [422, undefined, 'validation'],
    [500, 'Validation: no', 'internal'],
    [502, undefined, 'internal'],
    [504, undefined, 'internal'],
    [600, undefined, 'internal'],
  ])('%d with message %j is %s', (status, message, type) => {
    expect(classifyError(status, message)).toBe(type);
  });

  test('a 400 whose body names a validation is one, whatever its message', () => {
    expect(classifyError(400, 'model is required', { type: 'invalid_request_error' })).toBe('validation');
    expect(classifyError(400, 'Invalid request: model', { type: 'Bad Request' })).toBe('validation');
    expect(classifyError(400, 'boom', { type: 'server_error' })).toBe('internal');
  });

  test('the overload status can be another, before any other rule', () => {
    expect(classifyError(503, undefined, { overloadStatus: 503 })).toBe('overload');
    expect(classifyError(529, undefined, { overloadStatus: 503 })).toBe('overload');
  });
});

describe('an error in the body or stream of an answer', () => {
  test.each<[string, NamedError, ErrorType]>([
    ['Dynamo, 400', { type: 'Bad Request', code: 400 }, 'validation'],
    ['Dynamo, 404', { code: 404 }, 'not_found'],
    ['Dynamo, 499', { type: 'request_cancelled', code: 499 }, 'cancelled'],
    ['Dynamo, 503', { code: 503 }, 'unavailable'],
    ['Dynamo, 504', { code: 504 }, 'response_timeout'],
    ['Dynamo, 529', { code: 529 }, 'overload'],
    ['Dynamo, 500', { type: 'internal_server_error', code: 500 }, 'internal'],
    ['a status as text', { code: '429' }, 'overload'],
    ['a status, whatever the type says', { type: 'overloaded_error', code: 503 }, 'unavailable'],
    ['a number that is no status', { type: 'overloaded_error', code: 7 }, 'overload'],
    ['nothing', {}, 'internal'],
    ['names that nobody knows', { type: 'odd', code: 'strange' }, 'internal'],
    ['names of Object.prototype', { type: 'constructor', code: '__proto__' }, 'internal'],
    ['Responses: the code', { type: 'server_error', code: 'rate_limit_exceeded' }, 'overload'],
    ['a code that nobody knows beside a type', { type: 'invalid_request_error', code: 'odd' }, 'validation'],
    ["Dynamo's flat body", { type: 'Bad Request' }, 'validation'],
    ["Dynamo's flat body, 499", { type: 'Client Closed Request' }, 'cancelled'],
    ['vLLM', { type: 'NotFoundError' }, 'not_found'],
    ['SGLang', { type: 'BadRequest' }, 'validation'],
    ['OpenAI', { type: 'insufficient_quota' }, 'overload'],
    ['our own', { type: 'service_unavailable_error' }, 'unavailable'],
    ['our own, 501', { type: 'not_implemented_error' }, 'not_implemented'],
  ])('%s', (_title, error, type) => {
    expect(errorTypeOfObserved(error)).toBe(type);
  });

  /** The members of the union that follows `before` in a package's type declarations. */
  const union = (file: string, before: RegExp): string[] => {
    const [, members = ''] = new RegExp(`${before.source}([^;]*);`).exec(readFileSync(require.resolve(file).replace(/js$/, 'd.ts'), 'utf8')) ?? [];
    return [...members.matchAll(/'(\w+)'/g)].map(([, name]) => name!);
  };

  test("every type of Anthropic's client has a type, and only api_error is internal", () => {
    const types = union('@anthropic-ai/sdk/resources/shared', /export type ErrorType = /);
    expect(types).toContain('overloaded_error');
    expect(types.filter((type) => errorTypeOfObserved({ type }) === 'internal')).toEqual(['api_error']);
  });

  test("every code of OpenAI's Responses has a type, and only server_error is internal", () => {
    const codes = union('openai/resources/responses/responses', /interface ResponseError \{[^}]*?code: /);
    expect(codes).toContain('rate_limit_exceeded');
    expect(codes.filter((code) => errorTypeOfObserved({ code }) === 'internal')).toEqual(['server_error']);
  });
});

test.each([
  ['none', 'unknown error'],
  ['validation', 'invalid request parameters'],
  ['not_found', 'model or resource not found'],
  ['overload', 'service overloaded or rate limited'],
  ['unavailable', 'no backend worker available'],
  ['cancelled', 'cancelled before completion'],
  ['response_timeout', 'backend stream inactivity timeout'],
  ['internal', 'internal server error during processing'],
  ['not_implemented', 'requested feature not implemented'],
  ['of my own', 'unknown error'],
  ['toString', 'unknown error'],
])('the detail of %s is Dynamo\'s text', (type, text) => {
  expect(errorDetail(type)).toBe(text);
});
