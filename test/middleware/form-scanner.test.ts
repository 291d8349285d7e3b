import { describe, expect, test } from '@jest/globals';
import { formBoundary, FormScanner } from '../../src/middleware/form-scanner.js';
import { charactersSearched } from '../support/characters-searched.js';

const BOUNDARY = '----WebKitFormBoundary7MA4YWxkTrZu0gW';
const field = (name: string, value: string): string => `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const file = (bytes: string, disposition = 'form-data; name="file"; filename="a.wav"'): string => `--${BOUNDARY}\r\nContent-Disposition: ${disposition}\r\nContent-Type: audio/wav\r\n\r\n${bytes}\r\n`;
const END = `--${BOUNDARY}--\r\n`;
const bytes = (...parts: string[]): Buffer => Buffer.from(parts.join(''), 'latin1');

function scan(pieces: readonly Buffer[], boundary = BOUNDARY): Record<string, string> {
  const scanner = new FormScanner(boundary, ['model', 'stream']);
  for (const piece of pieces) scanner.push(piece);
  return Object.fromEntries(scanner.fields);
}

const inPieces = (form: Buffer, size: number): Buffer[] => Array.from({ length: Math.ceil(form.length / size) }, (_, i) => form.subarray(i * size, (i + 1) * size));

describe('the fields of a form', () => {
  const form = Buffer.concat([bytes(file('RIFF\r\n--almost\r\n\r\n\0ÿ')), Buffer.from(field('model', 'whisper-é'), 'utf8'), bytes(field('prompt', 'x'), field('stream', 'true'), END)]);
  const found = { model: 'whisper-é', stream: 'true' };

  test('are found wherever the bytes are cut in two', () => {
    for (let cut = 0; cut <= form.length; cut += 1) expect([cut, scan([form.subarray(0, cut), form.subarray(cut)])]).toEqual([cut, found]);
  });

  test.each([1, 2, 3, 7, 64])('are found in pieces of %i bytes', (size) => {
    expect(scan(inPieces(form, size))).toEqual(found);
  });

  const MIB = 2 ** 20;
  test.each([
    ['before a file', bytes(field('model', 'm'), file('\0'.repeat(MIB)), END)],
    ['behind a file', bytes(file('\0'.repeat(MIB)), field('model', 'm'), END)],
    ['behind a file of line ends', bytes(file('\r\n'.repeat(MIB / 2)), field('model', 'm'), END)],
    ['behind a file of beginnings of the boundary', bytes(file(`\r\n--${BOUNDARY.slice(0, -1)}`.repeat(2 ** 14)), field('model', 'm'), END)],
    ['between two files', bytes(file('\r'.repeat(MIB)), field('model', 'm'), file('-'.repeat(MIB)), END)],
  ])('are found %s of a mebibyte, in pieces of any size', (_where, large) => {
    for (const size of [1000, 4096, 65_536, large.length]) expect(scan(inPieces(large, size))).toEqual({ model: 'm' });
  });

  test('are not what a file says of itself', () => {
    expect(scan([bytes(file('Content-Disposition: form-data; name="model"\r\n\r\nfake'), file('\r\nContent-Disposition: form-data; name="model"\r\n\r\nfake\r\n--other\r\n'), END)])).toEqual({});
  });

  test.each(['form-data; name="model"; filename="m.bin"', 'form-data; filename="m.bin"; name="model"', "form-data; name=\"model\"; filename*=UTF-8''m.bin", 'form-data; name="model"; FILENAME=""'])('are no files: %s', (disposition) => {
    expect(scan([bytes(file('fake', disposition), field('stream', 'true'), END)])).toEqual({ stream: 'true' });
  });

  test('are left out when they have more than 256 characters, and the next is read', () => {
    const longest = bytes(field('model', 'x'.repeat(256)), END);
    for (let cut = 0; cut <= longest.length; cut += 1) expect([cut, scan([longest.subarray(0, cut), longest.subarray(cut)])]).toEqual([cut, { model: 'x'.repeat(256) }]);
    for (const length of [257, 5000]) {
      const long = bytes(field('model', 'x'.repeat(length)), field('stream', 'true'), END);
      for (const size of [1, 100, long.length]) expect(scan(inPieces(long, size))).toEqual({ stream: 'true' });
    }
  });

  test('count once: the first', () => {
    expect(scan([bytes(field('model', 'first'), field('model', 'second'), END)])).toEqual({ model: 'first' });
  });

  test('may have names without quotes, other headers before, and any case', () => {
    for (const name of ['name=model', 'NAME="model"']) {
      const part = `--${BOUNDARY}\r\nX-Other: 1\r\ncontent-DISPOSITION: form-data; ${name}\r\n\r\nm\r\n`;
      expect([name, scan([bytes(part, END)])]).toEqual([name, { model: 'm' }]);
    }
  });

  test.each(['X-Content-Disposition: form-data; name="model"', 'Content-Disposition: form-data; x-name="model"'])('are named by their own header and parameter, not by %s', (head) => {
    expect(scan([bytes(`--${BOUNDARY}\r\n${head}\r\n\r\nm\r\n`, field('stream', 'true'), END)])).toEqual({ stream: 'true' });
  });

  test('are not found in a part whose head has more than 1,024 bytes, and the next part is read', () => {
    const part = `--${BOUNDARY}\r\nX-Pad: ${'p'.repeat(1100)}\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n`;
    expect(scan(inPieces(bytes(part, field('stream', 'true'), END), 50))).toEqual({ stream: 'true' });
  });

  test('are found in a part whose head has 1,024 bytes, wherever it is cut', () => {
    const rest = '\r\nContent-Disposition: form-data; name="model"';
    const part = bytes(`--${BOUNDARY}\r\nX-Pad: ${'p'.repeat(1024 - rest.length - 9)}${rest}\r\n\r\nm\r\n`, END);
    for (let cut = 1024; cut <= part.length; cut += 1) expect([cut, scan([part.subarray(0, cut), part.subarray(cut)])]).toEqual([cut, { model: 'm' }]);
  });

  test('are not found where lines end without a carriage return, which no form may have', () => {
    const form2 = bytes(field('model', 'm').replaceAll('\r\n', '\n'), END.replaceAll('\r\n', '\n'));
    for (const size of [1, form2.length]) expect(scan(inPieces(form2, size))).toEqual({});
  });
});

describe('a form twice as long takes about twice the work', () => {
  const fill = (unit: string, length: number): Buffer => bytes(unit.repeat(Math.ceil(length / unit.length)));
  const PART = `\r\n--${BOUNDARY}`;
  test.each<[string, (size: number) => Buffer]>([
    ['boundaries whose parts have no end of their head', (size) => fill(PART, size)],
    ['boundaries whose parts have no end of their head until the last', (size) => Buffer.concat([fill(PART, size), bytes('\r\n\r\n', END)])],
    ['parts of a wanted name that do not end', (size) => fill(`${PART}\r\nContent-Disposition: form-data; name="model"\r\n\r\n`, size)],
    ['parts of a wanted name that are too long', (size) => fill(`${PART}\r\nContent-Disposition: form-data; name="model"\r\n\r\n${'x'.repeat(257)}`, size)],
    ['line ends', (size) => fill('\r\n', size)],
  ])('%s', (_title, form) => {
    const [once, twice] = [2 ** 16, 2 ** 17].map((size) => charactersSearched(() => void scan([form(size)]))) as [number, number];
    expect(twice).toBeLessThan(once * 2.5);
  });
});

test.each([
  ['multipart/form-data; boundary=abc', 'abc'],
  ['multipart/form-data; boundary="a b;c"', 'a b;c'],
  ['Multipart/Form-Data ; charset=utf-8; BOUNDARY=abc; x=y', 'abc'],
  [`multipart/form-data; boundary=${'b'.repeat(70)}`, 'b'.repeat(70)],
  [`multipart/form-data; boundary=${'b'.repeat(71)}`, undefined],
  ['multipart/form-data', undefined],
  ['multipart/mixed; boundary=abc', undefined],
  ['application/multipart/form-data; boundary=abc', undefined],
  ['application/json', undefined],
  [undefined, undefined],
])('the boundary of %s is %s', (contentType, boundary) => {
  expect(formBoundary(contentType)).toBe(boundary);
});

test('a quoted boundary with characters of its own ends the fields', () => {
  const boundary = formBoundary('multipart/form-data; boundary="a .*+(b)"')!;
  expect(scan([bytes(`--${boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--${boundary}--\r\n`)], boundary)).toEqual({ model: 'm' });
});
