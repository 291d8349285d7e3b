import { runInNewContext } from 'node:vm';
import { describe, expect, it, jest } from '@jest/globals';
import { DynamoTracingError, errorFact, isDynamoTracingError } from '../../src/errors/index.js';

describe('DynamoTracingError', () => {
  it('has the code, the message and the class name', () => {
    const error = new DynamoTracingError('ERR_FRAME_TOO_LARGE', 'frame of 9 bytes is over the limit of 8');
    expect({ code: error.code, message: error.message, name: error.name }).toEqual({
      code: 'ERR_FRAME_TOO_LARGE', message: 'frame of 9 bytes is over the limit of 8', name: 'DynamoTracingError',
    });
    expect(error).toBeInstanceOf(Error);
  });

  it('keeps the cause', () => {
    const cause = new Error('ECONNREFUSED');
    expect(new DynamoTracingError('ERR_CONNECT_FAILED', 'no', { cause }).cause).toBe(cause);
  });

  it('has no cause property when none is given', () => {
    expect(Object.hasOwn(new DynamoTracingError('ERR_CONNECT_FAILED', 'no', { host: 'a' }), 'cause')).toBe(false);
  });

  it('turns facts into enumerable fields that cannot be changed', () => {
    const error = new DynamoTracingError('ERR_FRAME_TOO_LARGE', 'big', { size: 9, limit: 8 });
    expect(Object.entries(error)).toEqual(expect.arrayContaining([['size', 9], ['limit', 8]]));
    expect(() => Object.assign(error, { size: 1 })).toThrow(TypeError);
  });

  it.each(['message', 'name', 'stack', 'code'])('does not let a fact called %s replace the error\'s own', (field) => {
    const error = new DynamoTracingError('ERR_DISCOVERY', 'text', { [field]: 'stolen' });
    expect(errorFact(error, field)).not.toBe('stolen');
  });
});

describe('isDynamoTracingError', () => {
  it('knows an error by its code', () => {
    const error: unknown = new DynamoTracingError('ERR_ACK_TIMEOUT', 'late', { timeoutMs: 5 });
    expect(isDynamoTracingError(error)).toBe(true);
    expect(isDynamoTracingError(error, 'ERR_ACK_TIMEOUT')).toBe(true);
    expect(isDynamoTracingError(error, 'ERR_CANCELLED', 'ERR_ACK_TIMEOUT')).toBe(true);
    expect(isDynamoTracingError(error, 'ERR_CANCELLED')).toBe(false);
  });

  it('knows the error of a second copy of the package', () => {
    jest.isolateModules(() => {
      // eslint-disable-next-line @typescript-eslint/no-require-imports
      const copy = require('../../src/errors/index.js') as { DynamoTracingError: typeof DynamoTracingError };
      const foreign: unknown = new copy.DynamoTracingError('ERR_CANCELLED', 'gone');
      expect(foreign).not.toBeInstanceOf(DynamoTracingError);
      expect(isDynamoTracingError(foreign, 'ERR_CANCELLED')).toBe(true);
    });
  });

  it('knows the error of another realm', () => {
    const foreign: unknown = runInNewContext(`Object.assign(new Error('x'), { name: 'DynamoTracingError', code: 'ERR_CANCELLED' })`);
    expect(foreign).not.toBeInstanceOf(Error);
    expect(isDynamoTracingError(foreign, 'ERR_CANCELLED')).toBe(true);
  });

  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'ERR_CANCELLED'],
    ['a plain Error', new Error('x')],
    ['an error of somebody else with a code', Object.assign(new Error('x'), { code: 'ERR_CANCELLED' })],
    ['the name without a code', { name: 'DynamoTracingError' }],
  ])('refuses %s', (_what, value) => {
    expect(isDynamoTracingError(value)).toBe(false);
  });
});

describe('errorFact', () => {
  it.each<[string, unknown, unknown]>([
    ['a fact', new DynamoTracingError('ERR_FRAME_TOO_LARGE', 'big', { size: 9 }), 9],
    ['a field of any object', { size: 9 }, 9],
    ['nothing for null', null, undefined],
    ['nothing for a string', 'size', undefined],
  ])('gives %s', (_what, error, seen) => {
    expect(errorFact(error, 'size')).toBe(seen);
  });
});
