import { expect, test } from '@jest/globals';
import { readModelJson } from '../../../src/transport/discovery/card-files.js';

const read = (text: string): unknown => readModelJson(Buffer.from(text), 'config.json');

test('numbers that Python alone writes are null, wherever a value may stand', () => {
  expect(read('{"a": NaN, "b":[-Infinity,NaN , Infinity ],"c":\n-Infinity\n}')).toEqual({ a: null, b: [null, null, null], c: null });
});

test('words that look like them stay', () => {
  expect(read('{"NaN": "Infinity", "a": "-Infinity"}')).toEqual({ NaN: 'Infinity', a: '-Infinity' });
});

// A search that goes back from each blank would take minutes for this.
test('a file may have half a mebibyte of blanks in a row', () => {
  expect(read(`{"a":${' '.repeat(2 ** 19)}NaN${' '.repeat(2 ** 19)}}`)).toEqual({ a: null });
});

test.each(['', '[]', '1', '{"a": NaNa}', '{'])('%j is refused', (text) => {
  expect(() => read(text)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', file: 'config.json' }));
});
