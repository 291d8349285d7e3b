import vm from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { errorFields } from '../../src/logging/error-fields.js';

describe('what a log line says of an error', () => {
  test('its name, its code and the frames of its stack, not its message', () => {
    const fields = errorFields(Object.assign(new TypeError('secret prompt'), { code: 'E_X' }));
    expect(fields).toMatchObject({ error_name: 'TypeError', error_code: 'E_X', error_message: undefined });
    expect(fields['error_stack']).toMatch(/^at .*error-fields\.test\.ts:\d+:\d+/);
    expect(JSON.stringify(fields)).not.toContain('secret');
  });

  test('lines of a message that look like frames stay out', () => {
    const fields = errorFields(new Error('secret\n    at secret (secret.js:1:1)'));
    expect(JSON.stringify(fields)).not.toContain('secret');
    expect(fields['error_stack']).toMatch(/^at /);
  });

  test('the message when it is asked for, at most 1,024 characters', () => {
    expect(errorFields(new Error('m'.repeat(5000)), true)['error_message']).toBe('m'.repeat(1024));
  });

  test('the code of a cause, as fetch keeps it', () => {
    expect(errorFields(new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code: 'ECONNREFUSED' }) }))).toMatchObject({ error_code: 'ECONNREFUSED' });
  });

  test('an error of another realm', () => {
    expect(errorFields(vm.runInNewContext('new RangeError("x")'))).toMatchObject({ error_name: 'RangeError' });
  });

  test.each([['a string', 'string', 'secret'], ['nothing', 'undefined', undefined], ['null', 'object', null]])('%s that was thrown', (_name, name, thrown) => {
    expect(errorFields(thrown)).toEqual({ error_name: name, error_code: undefined, error_stack: undefined, error_message: undefined });
  });

  test('an error whose getters throw', () => {
    expect(errorFields(Object.defineProperty(new Error('x'), 'code', { get: () => { throw new Error('no'); } }))).toEqual({ error_name: 'unreadable' });
  });
});
