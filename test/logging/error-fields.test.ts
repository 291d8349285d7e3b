import vm from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import { errorFields } from '../../src/logging/error-fields.js';

/** Characters that searches compare at most: each place with each character of what is searched for. */
function comparisons(fn: () => void): number {
  const { indexOf } = String.prototype;
  let most = 0;
  String.prototype.indexOf = function (this: string, wanted: string, from = 0) {
    most += (this.length - from) * wanted.length;
    return indexOf.call(this, wanted, from);
  };
  try {
    fn();
  } finally {
    Object.assign(String.prototype, { indexOf });
  }
  return most;
}

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

  test('lines of a message stay out when the name begins as it does', () => {
    const message = 'secret\n    at secret (secret.js:1:1)';
    const fields = errorFields({ name: 'E', message, stack: `secret\n: ${message}\n    at run (a.js:1:1)` });
    expect(fields['error_stack']).toBe('at run (a.js:1:1)');
  });

  test('frames of at most 1,024 characters', () => {
    expect(errorFields({ name: 'E', stack: `E\n    at ${'f'.repeat(5000)} (a.js:1:1)` })['error_stack']).toBe(`at ${'f'.repeat(1021)}`);
  });

  // A message that was changed after the stack was made: where a search for it would compare most of it at most places.
  test('in work that grows with the length of the message, whatever it holds', () => {
    const [once, twice] = [10_000, 20_000].map((length) => {
      const stack = `Error: ${'a'.repeat(2 * length)}\n    at run (a.js:1:1)`;
      return comparisons(() => errorFields({ message: `${'a'.repeat(length)}b${'a'.repeat(length)}`, stack }));
    }) as [number, number];
    expect(twice).toBeLessThan(2.5 * once);
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
