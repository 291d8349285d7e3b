import { describe, expect, test } from '@jest/globals';
import { charactersSearched } from '../../support/characters-searched.js';
import { observe, type Observed } from './observe.js';

const KIB = 1024;
const SIZE = 160 * KIB;
const fill = (unit: string, length: number): string => unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
const event = (data: string): string => `data: ${data}\n\n`;
/** A body in pieces, the way that a network cuts it. */
const pieces = (body: string, size: number): string[] => Array.from({ length: Math.ceil(body.length / size) }, (_, at) => body.slice(at * size, (at + 1) * size));

/** Bodies that make a reader look twice, by their size in characters. */
const HARD: readonly [string, (size: number) => string[], Observed?][] = [
  ['data lines that end in CR alone, in one event', (size) => [`${fill('data: x\r', size)}\r\r`]],
  ['data lines that end in LF alone, in one event', (size) => [`${fill('data: x\n', size)}\n\n`]],
  ['one long event of usages that never close, in pieces', (size) => pieces(event(fill('"usage":{', size)), 8 * KIB)],
  ['long events of usages that never close, in pieces', (size) => pieces(fill(event(fill('"usage":{', 80 * KIB)), size), 8 * KIB)],
  ['a long event of nothing but an opened string', (size) => pieces(event(`{"id":"${fill('\\"', size)}`), 8 * KIB)],
  ['usage that is null all along', (size) => [event(`{"delta":{},${fill('"usage":null,', size)}}`)]],
  ['many small events that each come in two pieces', (size) => pieces(fill(event('{"choices":[{"delta":{"content":"a"}}]}'), size), 33)],
  ['one event that comes in the smallest pieces', (size) => pieces(event(fill('{"choices":[{"delta":{"content":"a"}}]}', size)), 1)],
  ['lines of JSON in the smallest pieces', (size) => pieces(fill('{"choices":[{"delta":{"content":"a"}}]}\n', size), 1), { contentType: 'text/plain' }],
  ['one line of JSON that never ends, in the smallest pieces', (size) => pieces(`{"a":"${fill('{', size)}`, 1), { contentType: 'text/plain' }],
  ['a line of JSON and blank lines after it', (size) => pieces(`{"a":1}\n${fill(' \n', size)}`, 7), { contentType: 'text/plain' }],
  ['white space alone, in the smallest pieces', (size) => pieces(fill(' ', size), 1), { contentType: 'text/plain' }],
  ['text that is said to be compressed, in the smallest pieces', (size) => pieces(fill('data', size), 1), { dialect: 'text-stream', contentType: 'text/plain', contentEncoding: 'gzip' }],
  ['arrays in arrays in a unary body', (size) => [`{"x":${fill('[1,', size)}`], { contentType: 'application/json' }],
  ['a unary body of opened usages', (size) => [`{${fill('"usage":{', size)}`], { contentType: 'application/json' }],
  ['a unary body of opened usages that is too long to keep', (size) => pieces(`{${fill('"usage":{', size + KIB * KIB)}`, 8 * KIB), { contentType: 'application/json' }],
];

describe('a body twice as long takes about twice the work', () => {
  test.each(HARD)('%s', (_title, body, how = {}) => {
    const [once, twice] = [SIZE, 2 * SIZE].map((size) => {
      const given = body(size);
      return charactersSearched(() => void observe(given, how));
    }) as [number, number];
    expect(twice).toBeLessThan(once * 2.5 + 64 * KIB);
    expect(twice).toBeLessThan(20 * body(2 * SIZE).join('').length);
  });
});
