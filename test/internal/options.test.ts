import { describe, expect, it } from '@jest/globals';
import { errorFact, isDynamoTracingError } from '../../src/errors/index.js';
import { booleanOption, enumOption, functionOption, invalidOption, numberOption, optionalOption, readOptions, stringOption } from '../../src/internal/index.js';

const spec = {
  on: booleanOption(true),
  format: enumOption(['jsonl', 'readable'], 'jsonl'),
  limit: numberOption(10, { min: 1, max: 100 }),
  ratio: numberOption(0.5, { max: 1, fraction: true }),
  name: stringOption('dynamo'),
  hook: functionOption<() => void>(),
  list: optionalOption<string[]>('an array', Array.isArray),
};
const read = (input: unknown) => readOptions('demo()', spec, input);

function refusal(fn: () => unknown): { code: unknown; path: unknown; message: unknown } {
  try {
    fn();
  } catch (error) {
    if (isDynamoTracingError(error)) return { code: error.code, path: errorFact(error, 'path'), message: error.message };
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('readOptions', () => {
  const defaults = { on: true, format: 'jsonl', limit: 10, ratio: 0.5, name: 'dynamo', hook: undefined, list: undefined };

  it.each<[string, unknown]>([
    ['no options', undefined],
    ['an empty object', {}],
    ['an object without a prototype', Object.create(null)],
    ['keys that are undefined', { on: undefined, limit: undefined, hook: undefined }],
  ])('gives the defaults for %s', (_what, input) => {
    expect(read(input)).toEqual(defaults);
  });

  it('keeps what the user wrote', () => {
    const hook = (): void => {};
    expect(read({ on: false, format: 'readable', limit: 100, ratio: 1, name: '', hook, list: ['a'] }))
      .toEqual({ on: false, format: 'readable', limit: 100, ratio: 1, name: '', hook, list: ['a'] });
  });

  it('gives a frozen result that later changes of the input do not reach', () => {
    const input = { limit: 5 };
    const options = read(input);
    input.limit = 50;
    expect(Object.isFrozen(options)).toBe(true);
    expect(options.limit).toBe(5);
  });

  it.each<[string, unknown]>([
    ['limt', { limt: 3 }],
    ['toString', { toString: () => '' }],
    ['__proto__', JSON.parse('{"__proto__": {"on": false}}')],
  ])('refuses the unknown key %s and names its path and the keys there are', (key, input) => {
    const seen = refusal(() => read(input));
    expect(seen).toMatchObject({ code: 'ERR_OPTION_INVALID', path: `demo().${key}` });
    expect(seen.message).toContain('on, format, limit, ratio, name, hook, list');
  });

  it.each<[string, unknown, string]>([
    ['null', null, 'got null'],
    ['an array', [], 'got an Array'],
    ['a string', 'limit=3', 'got "limit=3"'],
    ['a function', () => {}, 'got a Function'],
    ['a Map', new Map([['on', false]]), 'got a Map'],
  ])('refuses %s in place of the options', (_what, input, said) => {
    const seen = refusal(() => read(input));
    expect(seen).toMatchObject({ code: 'ERR_OPTION_INVALID', path: 'demo()' });
    expect(seen.message).toContain(said);
  });

  it('takes an instance of a class of the user\'s own', () => {
    class Settings {
      limit = 7;
    }
    expect(read(new Settings()).limit).toBe(7);
  });

  it.each<[string, unknown, string]>([
    ['on', 'true', 'demo().on must be true or false, got "true"'],
    ['on', 1, 'demo().on must be true or false, got 1'],
    ['on', null, 'demo().on must be true or false, got null'],
    ['on', {}, 'demo().on must be true or false, got an Object'],
    ['format', 'xml', `demo().format must be one of 'jsonl', 'readable', got "xml"`],
    ['format', ['jsonl'], `demo().format must be one of 'jsonl', 'readable', got an Array`],
    ['limit', 0, 'demo().limit must be an integer from 1 to 100, got 0'],
    ['limit', 101, 'demo().limit must be an integer from 1 to 100, got 101'],
    ['limit', 1.5, 'demo().limit must be an integer from 1 to 100, got 1.5'],
    ['limit', Number.NaN, 'demo().limit must be an integer from 1 to 100, got NaN'],
    ['limit', Number.POSITIVE_INFINITY, 'demo().limit must be an integer from 1 to 100, got Infinity'],
    ['limit', 5n, 'demo().limit must be an integer from 1 to 100, got 5'],
    ['limit', '5', 'demo().limit must be an integer from 1 to 100, got "5"'],
    ['ratio', -0.1, 'demo().ratio must be a number from 0 to 1, got -0.1'],
    ['ratio', 1.01, 'demo().ratio must be a number from 0 to 1, got 1.01'],
    ['name', 3, 'demo().name must be a string, got 3'],
    ['name', Symbol('x'), 'demo().name must be a string, got a Symbol'],
    ['hook', 'fn', 'demo().hook must be a function, got "fn"'],
    ['hook', null, 'demo().hook must be a function, got null'],
    ['list', {}, 'demo().list must be an array, got an Object'],
  ])('refuses %s = %p', (key, value, message) => {
    expect(refusal(() => read({ [key]: value }))).toEqual({ code: 'ERR_OPTION_INVALID', path: `demo().${key}`, message });
  });

  it('shows at most 64 characters of a value', () => {
    expect(invalidOption('a.b', 'short', 'x'.repeat(1000)).message).toBe(`a.b must be short, got "${'x'.repeat(64)}"`);
  });
});
