import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { parseTracestate } from '../../src/trace-context/index.js';

const KEY = 'abcdefghijklmnopqrstuvwxyz0123456789_-*/@';
const VALUE = Array.from({ length: 0x7f - 0x20 }, (_, i) => String.fromCharCode(0x20 + i)).filter((c) => c !== ',' && c !== '=').join('');
const members = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${i}=v${i}`);

describe('parseTracestate', () => {
  it.each<[string, string | string[], string]>([
    ['one member', 'foo=1', 'foo=1'],
    ['members in their order', 'foo=1,bar=2', 'foo=1,bar=2'],
    ['blanks around members', ' foo=1 \t,\t bar=2 ', 'foo=1,bar=2'],
    ['empty members', ',foo=1,, ,\t,bar=2,', 'foo=1,bar=2'],
    ['several headers', ['foo=1', 'bar=2,baz=3'], 'foo=1,bar=2,baz=3'],
    ['an empty header among others', ['', 'foo=1', ''], 'foo=1'],
    ['the same key twice', 'foo=1,foo=2', 'foo=1,foo=2'],
    ['a key that begins with a digit', '0foo=1', '0foo=1'],
    ['level 1 vendor keys', 'tenant@vendor=1', 'tenant@vendor=1'],
    ['level 2: at signs anywhere after the first character', 'foo@=1,a@@b=2,a@b@c=3', 'foo@=1,a@@b=2,a@b@c=3'],
    ['every character that a key may have', `${KEY}=1`, `${KEY}=1`],
    ['every character that a value may have', `k=${VALUE}`, `k=${VALUE}`],
    ['spaces inside a value and before it', 'k= a b', 'k= a b'],
    ['a key of 256 characters', `${'k'.repeat(256)}=1`, `${'k'.repeat(256)}=1`],
    ['a value of 256 characters', `k=${'v'.repeat(256)}`, `k=${'v'.repeat(256)}`],
    ['32 members', members(32).join(','), members(32).join(',')],
    ['32 members and empty ones between them', members(32).join(',,'), members(32).join(',')],
    ['600 characters', `a=${'x'.repeat(256)},b=${'y'.repeat(256)},c=${'z'.repeat(82)}`, `a=${'x'.repeat(256)},b=${'y'.repeat(256)},c=${'z'.repeat(82)}`],
  ])('keeps %s', (_what, value, seen) => {
    expect(parseTracestate(value)).toBe(seen);
  });

  it.each<[string, string | string[]]>([
    ['nothing', ''],
    ['blanks and commas only', ' ,\t, ,'],
    ['no header', []],
    ['empty headers', ['', '']],
    ['an upper-case key', 'FOO=1'],
    ['a dot in a key', 'foo.bar=1'],
    ['a space after a key', 'foo =1'],
    ['a key that begins with an at sign', '@foo=1,bar=2'],
    ['a key that begins with a dash', '-foo=1'],
    ['an empty key', '=1'],
    ['an empty value', 'foo=,bar=3'],
    ['no equals sign', 'foo'],
    ['an equals sign in a value', 'foo=bar=baz'],
    ['one bad member among good ones', 'foo=1,BAR=2,baz=3'],
    ['a control character', 'foo=1\u0001'],
    ['a line feed', 'foo=1\nbar: 2'],
    ['a line feed at the end', 'foo=1\n'],
    ['a carriage return', 'foo=1\r'],
    ['DEL', 'foo=\u007f'],
    ['a character outside ASCII', 'foo=é'],
    ['a key of 257 characters', `foo=1,${'k'.repeat(257)}=1`],
    ['a value of 257 characters', `foo=1,k=${'v'.repeat(257)}`],
    ['33 members', members(33)],
    ['more than 8,192 characters', Array.from({ length: 32 }, (_, i) => `k${i}=${'v'.repeat(256)}`)],
    ['a megabyte of commas', ','.repeat(1 << 20)],
  ])('drops all of it for %s', (_what, value) => {
    expect(parseTracestate(value)).toBeUndefined();
  });

  const key = fc.tuple(fc.constantFrom('a', 'b', 'z', '0', '9'), fc.string({ unit: fc.constantFrom(...Array.from(KEY)), maxLength: 20 })).map(([first, rest]) => first + rest);
  const value = fc.tuple(fc.string({ unit: fc.constantFrom(...Array.from(VALUE)), maxLength: 20 }), fc.constantFrom('!', 'a', '~')).map(([rest, last]) => rest + last);
  const list = fc.array(fc.tuple(key, value).map(([k, v]) => `${k}=${v}`), { minLength: 1, maxLength: 32 });
  const blank = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 3 });

  it('gives valid members back whatever the blanks, the empty members and the split into headers', () => {
    fc.assert(fc.property(list, fc.array(fc.tuple(blank, blank, fc.boolean(), fc.boolean()), { minLength: 32, maxLength: 32 }), (given, noise) => {
      const headers = [''];
      for (const [i, member] of given.entries()) {
        const [before, after, empty, newHeader] = noise[i]!;
        const text = `${before}${member}${after}${empty ? ',' : ''}`;
        if (newHeader) headers.push(text);
        else headers.push(`${headers.pop() ?? ''},${text}`);
      }
      expect(parseTracestate(headers)).toBe(given.join(','));
    }));
  });

  it('never throws; what it gives can stand in a header and is its own canonical form', () => {
    fc.assert(fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', '=', ',', ' ', '@', 'A', '\n', '\t', 'é', '~', '=1') })), (headers) => {
      const seen = parseTracestate(headers);
      if (seen === undefined) return;
      expect(seen).toMatch(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/);
      expect(parseTracestate(seen)).toBe(seen);
    }), { numRuns: 1000 });
  });
});

it('is read up to 8,192 characters, blanks included', () => {
  const text = `foo=1,${' '.repeat(8186)}`;
  expect([text.length, parseTracestate(text), parseTracestate(`${text} `), parseTracestate('')]).toEqual([8192, 'foo=1', undefined, undefined]);
});
