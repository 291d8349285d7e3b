import { describe, expect, test } from '@jest/globals';
import { classifyError, errorDetail, type ErrorType } from '../../src/middleware/error-type.js';

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
    expect(classifyError(400, 'boom', { type: 'server_error' })).toBe('internal');
  });

  test('the overload status can be another, before any other rule', () => {
    expect(classifyError(503, undefined, { overloadStatus: 503 })).toBe('overload');
    expect(classifyError(529, undefined, { overloadStatus: 503 })).toBe('overload');
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
