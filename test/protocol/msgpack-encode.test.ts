import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { decode, encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { payloadCodec } from '../../src/protocol/index.js';
import { thrown } from './support.js';

const { encode: write, decode: read } = payloadCodec('msgpack');
const json = payloadCodec('json');
const INVALID = { code: 'ERR_MESSAGE_INVALID', message: 'the value cannot be written as msgpack' };
const hexOf = (value: unknown): string => Buffer.from(write(value)).toString('hex');
/** As the library reads it: wide integers are BigInt, bytes are Uint8Array. */
const libraryReads = (value: unknown): unknown => decode(write(value), { useBigInt64: true });

/** A value as a decoder that knows no -0 and makes only what a number cannot hold a BigInt gives it back. */
const number = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
  fc.constantFrom(NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 53), 1e21, Number.MAX_VALUE, Number.MIN_VALUE),
);
const wide = fc.oneof(fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }));
const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.string({ minLength: 28, maxLength: 36 }), fc.string({ unit: 'binary', minLength: 80, maxLength: 300 }));
const bytes = fc.uint8Array({ maxLength: 300 }).map((value) => Buffer.from(value));
const key = fc.oneof({ weight: 9, arbitrary: fc.string({ unit: 'grapheme', maxLength: 40 }) }, { weight: 1, arbitrary: fc.constant('__proto__') });
const own = (entries: readonly (readonly [string, unknown])[]): object => Object.fromEntries(entries);
const values = (leaf: fc.Arbitrary<unknown>, keys: fc.Arbitrary<string>): fc.Arbitrary<unknown> =>
  fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('any'), { maxLength: 20 }), fc.array(fc.tuple(keys, tie('any')), { maxLength: 20 }).map(own)),
  })).any;

describe('what is written is read as the same value', () => {
  test('by the reader of this package, whatever the value is', () => {
    fc.assert(fc.property(values(fc.oneof(number, wide, text, bytes, fc.boolean(), fc.constant(null)), key), (value) => expect(read(write(value))).toEqual(value)), { numRuns: 100 });
  });

  test('by @msgpack/msgpack, whatever the value is', () => {
    // It makes each 64-bit integer a BigInt and refuses the key __proto__.
    const narrow = number.filter((value) => !Number.isSafeInteger(value) || (value < 2 ** 32 && value >= -(2 ** 31)));
    const any = values(fc.oneof(narrow, wide, text, bytes.map((value) => new Uint8Array(value)), fc.boolean(), fc.constant(null)), key.filter((name) => name !== '__proto__'));
    fc.assert(fc.property(any, (value) => expect(libraryReads(value)).toEqual(value)), { numRuns: 100 });
  });

  test('byte for byte as @msgpack/msgpack writes it, where its numbers are what we send', () => {
    const narrow = number.filter((value) => !Number.isSafeInteger(value) || (value < 2 ** 32 && value >= -(2 ** 31)));
    const any = values(fc.oneof(narrow, wide, text, bytes, fc.boolean(), fc.constantFrom(null, undefined)), key);
    fc.assert(fc.property(any.filter((value) => value !== undefined), (value) => expect(hexOf(value)).toBe(Buffer.from(encode(value, { useBigInt64: true, ignoreUndefined: true })).toString('hex'))), { numRuns: 100 });
  });

  test('with the meaning that its JSON has: undefined, functions, symbols, holes, boxed values, dates, toJSON', () => {
    const odd = fc.oneof(
      fc.constantFrom(undefined, null, true, () => 1, Symbol('s'), new String('s'), Object(false), new Map([[1, 2]])),
      fc.integer().map((value) => Object(value) as unknown),
      fc.date({ noInvalidDate: false }),
      fc.string({ unit: 'binary' }),
      fc.oneof(fc.maxSafeInteger(), fc.string(), fc.array(fc.boolean())).map((value) => ({ hidden: 1, toJSON: (name: string) => ({ name, value }) })),
      fc.sparseArray(fc.integer(), { maxLength: 20 }),
      fc.maxSafeInteger(),
    );
    fc.assert(fc.property(fc.array(odd, { maxLength: 20 }), fc.array(fc.tuple(key, odd), { maxLength: 40 }).map(own), (list, map) => {
      expect(read(write({ list, map }))).toEqual(json.decode(json.encode({ list, map })));
    }), { numRuns: 100 });
  });

  test.each<[string, unknown, string]>([
    ['the largest that fits the type', 0x7f, '7f'],
    ['the smallest that fits the type', -0x20, 'e0'],
    ['a byte', 0x80, 'cc80'],
    ['a whole byte', 0xff, 'ccff'],
    ['two bytes', 0x100, 'cd0100'],
    ['two whole bytes', 0xffff, 'cdffff'],
    ['four bytes', 0x1_0000, 'ce00010000'],
    ['four whole bytes', 0xffff_ffff, 'ceffffffff'],
    ['eight bytes', 0x1_0000_0000, 'cf0000000100000000'],
    ['the largest safe integer', Number.MAX_SAFE_INTEGER, 'cf001fffffffffffff'],
    ['an integer that is not safe', 2 ** 53, 'cb4340000000000000'],
    ['a negative byte', -0x21, 'd0df'],
    ['the last negative byte', -0x80, 'd080'],
    ['two negative bytes', -0x81, 'd1ff7f'],
    ['the last two negative bytes', -0x8000, 'd18000'],
    ['four negative bytes', -0x8001, 'd2ffff7fff'],
    ['the last four negative bytes', -0x8000_0000, 'd280000000'],
    ['eight negative bytes', -0x8000_0001, 'd3ffffffff7fffffff'],
    ['-0', -0, '00'],
    ['the largest u64', 2n ** 64n - 1n, 'cfffffffffffffffff'],
    ['the smallest i64', -(2n ** 63n), 'd38000000000000000'],
    ['a small BigInt, as wide as any', -1n, 'd3ffffffffffffffff'],
    ['true, false and null', [true, false, null], '93c3c2c0'],
    ['a lone surrogate alone', '\ud800', 'a3efbfbd'],
    ['a lone surrogate in a long text', `\udfff${'a'.repeat(32)}`, `d923efbfbd${'61'.repeat(32)}`],
    ['a part of another buffer', new Uint16Array([1, 2, 3, 4]).subarray(1, 3), 'c40402000300'],
    ['a DataView', new DataView(new Uint8Array([1, 2, 3]).buffer, 1), 'c4020203'],
  ])('%s: %p is %s', (_, value, expected) => expect(hexOf(value)).toBe(expected));

  test.each([0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536])('%d letters, bytes, items and entries', (count) => {
    const list = Array.from({ length: count }, (_, index) => index % 200);
    for (const value of ['a'.repeat(count), 'é'.repeat(count), list, Object.fromEntries(list.map((item, index) => [`k${index}`, item]))]) {
      expect(isDeepStrictEqual(read(write(value)), value)).toBe(true);
      expect(Buffer.compare(write(value), encode(value))).toBe(0);
    }
    expect(Buffer.compare(read(write(Buffer.from(list))) as Buffer, Buffer.from(list))).toBe(0);
    expect(Buffer.compare(write(Buffer.from(list)), encode(Buffer.from(list)))).toBe(0);
  });

  test('toJSON gets the key that its value stands under, as in JSON', () => {
    const named = { toJSON: (name: unknown) => [typeof name, name] };
    expect(read(write([named, { a: named }]))).toEqual(JSON.parse(JSON.stringify([named, { a: named }])));
  });

  test('a value that toJSON returns is not asked for toJSON again, as in JSON', () => {
    const value = { id: 1, toJSON() { return this; } };
    expect(read(write({ value }))).toEqual({ value: { id: 1 } });
  });
});

describe('what cannot be written is refused with a code', () => {
  const failing = (): never => { throw new Error('in the getter'); };

  test.each<[string, unknown, string]>([
    ['undefined', undefined, 'TypeError'],
    ['a toJSON that returns nothing', { toJSON: () => undefined }, 'TypeError'],
    ['a BigInt above u64', { a: [2n ** 64n] }, 'RangeError'],
    ['a BigInt below i64', -(2n ** 63n) - 1n, 'RangeError'],
    ['a getter that throws', { a: 1, get b() { return failing(); } }, 'Error'],
    ['a toJSON that throws', [{ toJSON: failing }], 'Error'],
    ['bytes that fill 4 GiB', new Uint8Array(2 ** 32 - 1), 'RangeError'],
  ])('%s', (_, value, cause) => {
    const error = thrown(() => write(value));
    expect(error).toMatchObject(INVALID);
    expect((error['cause'] as Error).name).toBe(cause);
    expect(read(write({ after: [1] }))).toEqual({ after: [1] });
  });

  test.each([1, 2, 3, 31, 32, 33, 40, 500])('a cycle of %d, before its texts are written many times', (length) => {
    let texts = 0;
    const first: Record<string, unknown> = { get text() { return String((texts += 1)); } };
    let last = first;
    for (let step = 1; step < length; step += 1) last = last['next'] = { step };
    last['next'] = first;
    expect(thrown(() => write(first))).toMatchObject({ ...INVALID, cause: { name: 'TypeError', message: 'the value contains itself' } });
    expect(texts).toBeLessThanOrEqual(32);
  });

  test('the same object in several places is no cycle, however deep', () => {
    const shared = { a: [1] };
    const deep = Array.from({ length: 100 }).reduce<unknown>((inner) => [shared, inner, shared], shared);
    expect(read(write(deep))).toEqual(deep);
  });
});

describe('one buffer serves every message', () => {
  test('a getter or toJSON that encodes another value, small or large, disturbs neither', () => {
    const inner = { text: 'y'.repeat(70_000) };
    const seen: unknown[] = [];
    const value = { first: 'a', get second() { seen.push(read(write(inner))); return [1]; }, third: [{ toJSON: () => (seen.push(read(write([2]))), 'b') }, 3], last: 'x'.repeat(70_000) };
    expect(read(write(value))).toEqual({ first: 'a', second: [1], third: ['b', 3], last: value.last });
    expect(seen).toEqual([inner, [2]]);
  });

  test('a message stays as it was while others are written, also after one that failed midway', () => {
    const first = write({ a: 'first' });
    expect(thrown(() => write(['second', 2n ** 64n]))).toMatchObject(INVALID);
    write({ a: 'third' });
    expect(read(first)).toEqual({ a: 'first' });
  });

  test('a list that shrinks while it is written has as many items as its head says', () => {
    const list: unknown[] = [{ toJSON: () => ((list.length = 1), 'a') }, 2, 3];
    expect(read(write(list))).toEqual(['a', null, null]);
  });
});
