import { describe, expect, test } from '@jest/globals';
import { decode as libraryDecode, encode as libraryEncode } from '@msgpack/msgpack';
import fc from 'fast-check';
import { isPayloadCodecName, payloadCodec } from '../../src/protocol/index.js';
import { hasLongDigitRun } from '../../src/protocol/json-integers.js';
import { hex, thrown } from './support.js';

const json = payloadCodec('json');
const msgpack = payloadCodec('msgpack');
const both = [json, msgpack] as const;
const U64 = 18446744073709551615n;
const I64 = -9223372036854775808n;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const read = (source: string): unknown => json.decode(Buffer.from(source));
const INVALID = { code: 'ERR_MESSAGE_INVALID' };

test('a codec other than json and msgpack is unsupported', () => {
  expect(thrown(() => payloadCodec('cbor'))).toMatchObject({ code: 'ERR_CODEC_UNSUPPORTED', codec: 'cbor' });
  expect(['json', 'msgpack', 'JSON', undefined, 'toString'].map(isPayloadCodecName)).toEqual([true, true, false, false, false]);
});

describe.each(both)('$name', (codec) => {
  const again = (value: unknown): unknown => codec.decode(codec.encode(value));

  test.each([0, -0, 5, -5, 2 ** 31, -(2 ** 31) - 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -(2 ** 53) + 1, 1.5, 1e300, 'é漢🙂', '', true, null, [], {}, [[1], { a: [] }]])(
    '%j comes back',
    (value) => expect(again(value)).toEqual(Object.is(value, -0) ? 0 : value),
  );

  test.each([U64, I64, 2n ** 53n, -(2n ** 53n), 9007199254740993n])('%s comes back as BigInt, wherever it is', (value) => {
    expect(again(value)).toBe(value);
    expect(again({ a: [value, { b: value, c: 1 }], __: 'x' })).toEqual({ a: [value, { b: value, c: 1 }], __: 'x' });
  });

  test('a BigInt that a number can hold comes back as a number', () => expect(again([5n, -5n, 2n ** 53n - 1n])).toEqual([5, -5, 2 ** 53 - 1]));

  test.each([U64 + 1n, I64 - 1n])('%s fits no wire integer and is refused', (value) => expect(thrown(() => codec.encode({ a: value }))).toMatchObject(INVALID));

  test('undefined and functions are left out, in arrays they are null', () => {
    expect(again({ a: undefined, b: () => 1, c: [undefined, () => 1], d: 1n })).toEqual({ c: [null, null], d: 1 });
    expect(again({ a: undefined, b: () => 1, c: [undefined, () => 1] })).toEqual({ c: [null, null] });
  });

  test('toJSON is honoured', () => {
    const value = { at: new Date(0), deep: { toJSON: () => ({ id: 1n }) }, list: [new Date(0)] };
    expect(again(value)).toEqual({ at: '1970-01-01T00:00:00.000Z', deep: { id: 1 }, list: ['1970-01-01T00:00:00.000Z'] });
  });

  test('boxed values are read as what they box, holes as null', () => {
    // eslint-disable-next-line no-sparse-arrays
    expect(again([new String('s'), Object(1), Object(true), , 1n])).toEqual(['s', 1, true, null, 1]);
  });

  test('a key __proto__ is an entry and touches no prototype', () => {
    const value: unknown = JSON.parse('{"__proto__":{"polluted":true},"a":1}');
    for (const source of [value, JSON.parse('{"__proto__":{"polluted":true},"a":"\\ud800"}'), Object.assign(JSON.parse('{"__proto__":{"polluted":true}}') as object, { a: U64 })]) {
      const seen = again(source) as Record<string, unknown>;
      expect(Object.keys(seen)).toEqual(['__proto__', 'a']);
      expect(Object.getPrototypeOf(seen)).toBe(Object.prototype);
      expect(seen['polluted']).toBeUndefined();
    }
  });

  test('lone surrogates become U+FFFD, pairs stay', () => {
    expect(again({ '\udc00': ['a\ud83d', '\ud83d\ude00', '\\ud83d', '"\\\ud83d'] })).toEqual({ '\ufffd': ['a\ufffd', '\ud83d\ude00', '\\ud83d', '"\\\ufffd'] });
  });

  test.each([[undefined], [() => 1], [Symbol('x')]])('%p alone cannot be written', (value) => expect(thrown(() => codec.encode(value))).toMatchObject(INVALID));

  test('a cycle is refused', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = [cycle];
    expect(thrown(() => codec.encode(cycle))).toMatchObject({ ...INVALID, message: `the value cannot be written as ${codec === json ? 'JSON' : 'msgpack'}` });
  });

  test('a failing toJSON is reported as cause', () => {
    const cause = new Error('no');
    const value = { toJSON: () => { throw cause; } };
    expect(thrown(() => codec.encode(value))).toMatchObject({ ...INVALID, cause });
  });

  test('the value given is not changed by writing it', () => {
    const value = Object.freeze({ a: Object.freeze([2 ** 40, new Date(0), 1n]), b: '\ud800' });
    expect(() => codec.encode(value)).not.toThrow();
    expect(value.a[0]).toBe(2 ** 40);
  });

  test('values of any kind come back', () => {
    const wide = fc.bigInt({ min: I64, max: U64 }).map((value) => (value >= -(2n ** 53n) + 1n && value < 2n ** 53n ? Number(value) : value));
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 4 }, tie('leaf'), fc.array(tie('any'), { maxLength: 6 }), fc.dictionary(fc.string({ unit: 'grapheme' }), tie('any'), { maxKeys: 6, noNullPrototype: true })),
      leaf: fc.oneof(fc.string({ unit: 'grapheme' }), fc.boolean(), fc.constant(null), wide, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => Math.abs(number) <= Number.MAX_SAFE_INTEGER).map((number) => number + 0)),
    })).any;
    fc.assert(fc.property(value, (given) => expect(again(given)).toEqual(given)), { numRuns: 300 });
  });

  test('any bytes are read or refused with a code', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        codec.decode(bytes);
      } catch (error) {
        expect(error).toMatchObject({ ...INVALID });
      }
    }), { numRuns: 2000 });
  });
});

describe('json integers', () => {
  test.each<[string, unknown]>([
    ['18446744073709551615', U64],
    ['-9223372036854775808', I64],
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['[1,18446744073709551615,2]', [1, U64, 2]],
    ['{"a":"18446744073709551615"}', { a: '18446744073709551615' }],
    ['{"18446744073709551615":18446744073709551615}', { '18446744073709551615': U64 }],
    ['{"a":"\\"18446744073709551615","b":18446744073709551615}', { a: '"18446744073709551615', b: U64 }],
    ['["\\\\",18446744073709551615,"\\\\\\"",18446744073709551615]', ['\\', U64, '\\"', U64]],
    ['0.12345678901234567', Number('0.12345678901234567')],
    ['-0.12345678901234567e-5', Number('-0.12345678901234567e-5')],
    ['12345678901234567.5', Number('12345678901234567.5')],
    ['12345678901234567e2', Number('1234567890123456700')],
    ['[0.12345678901234567,12345678901234567]', [Number('0.12345678901234567'), 12345678901234567n]],
    ['18446744073709551616', Number('18446744073709552000')],
    ['-9223372036854775809', Number('-9223372036854775809')],
    [`1${'0'.repeat(400)}`, Infinity],
    ['{"a":1,"a":18446744073709551615}', { a: U64 }],
    ['{"2":18446744073709551615,"1":"x"}', { 1: 'x', 2: U64 }],
  ])('%s', (source, value) => expect(read(source)).toEqual(value));

  test.each(['{18446744073709551615:1}', '018446744073709551615', '18446744073709551615x', '"a" 18446744073709551615', '+18446744073709551615', '[18446744073709551615,]'])('%s is no JSON', (source) => {
    const error = thrown(() => read(source));
    expect(error).toMatchObject({ ...INVALID, message: 'the message is not JSON' });
    expect((error['cause'] as Error).name).toBe('SyntaxError');
  });

  test('bytes that are not UTF-8 are refused', () => expect(thrown(() => json.decode(hex('22ff22')))).toMatchObject({ ...INVALID, message: 'the message is not UTF-8' }));

  test('a toJSON patched onto BigInt does not turn ids into strings', () => {
    Object.assign(BigInt.prototype, { toJSON(this: bigint) { return String(this); } });
    try {
      expect(text(json.encode({ a: U64, b: [1] }))).toBe('{"a":18446744073709551615,"b":[1]}');
    } finally {
      delete (BigInt.prototype as { toJSON?: unknown }).toJSON;
    }
  });

  test('integers are found at every offset, strings beside them stay as they are', () => {
    fc.assert(fc.property(fc.string(), fc.bigInt({ min: 2n ** 53n, max: U64 }), fc.string(), (before, value, after) => {
      expect(read(`[${JSON.stringify(before)},${value.toString()},${JSON.stringify(after)}]`)).toEqual([before, value, after]);
      expect(read(`[${JSON.stringify(before + value.toString() + after)}]`)).toEqual([before + value.toString() + after]);
    }));
  });

  test('the cheap scan finds every run of 16 digits that is no fraction, at any offset', () => {
    const run = fc.tuple(fc.constantFrom('', '.', 'a', '-', '"', '0.'), fc.stringMatching(/^[0-9]{0,40}$/)).map((parts) => parts.join(''));
    fc.assert(fc.property(fc.array(run, { maxLength: 8 }), (runs) => {
      const source = runs.join('x');
      const expected = [...source.matchAll(/[0-9]+/g)].some(({ 0: digits, index }) => digits.length >= 16 && source[index - 1] !== '.');
      expect(hasLongDigitRun(Buffer.from(source))).toBe(expected);
    }), { numRuns: 1000 });
  });

  test('nesting that the parser takes and the walk does not is refused, not a crash', () => {
    const source = `${'['.repeat(200_000)}18446744073709551615${']'.repeat(200_000)}`;
    expect(thrown(() => read(source))).toMatchObject(INVALID);
  });
});

describe('msgpack', () => {
  test.each<[string, unknown]>([
    ['7f', 127],
    ['e0', -32],
    ['ff', -1],
    ['cf0000000000000005', 5],
    ['d3fffffffffffffffb', -5],
    ['cfffffffffffffffff', U64],
    ['d38000000000000000', I64],
    ['cf001fffffffffffff', 2 ** 53 - 1],
    ['cf0020000000000000', 2n ** 53n],
    ['d20000ffff', 65535],
    ['ca3fc00000', 1.5],
    ['8101a178', { 1: 'x' }],
    ['81cfffffffffffffffffa178', { '18446744073709551615': 'x' }],
    ['d903c3a961', 'éa'],
    ['c403010203', Buffer.from([1, 2, 3])],
  ])('%s is %p', (source, value) => expect(msgpack.decode(hex(source))).toEqual(value));

  test.each([
    ['nothing', ''],
    ['a byte too many', '0101'],
    ['the reserved byte', 'c1'],
    ['an extension', 'd4010a'],
    ['a string cut short', 'a3616'],
    ['a string that is not UTF-8', 'a2c328'],
    ['a string of one byte that is not UTF-8', 'a180'],
    ['a long string that is not UTF-8', `d920${'ff'.repeat(32)}`],
    ['a list as key', '819001'],
    ['a float as key', '81cb3ff800000000000001'],
    ['an array of 4 billion', 'ddffffffff'],
    ['a map of 4 billion', 'dfffffffff'],
    ['a string of 4 GiB', 'dbffffffff'],
    ['bytes of 4 GiB', 'c6ffffffff'],
    ['nesting without end', '91'.repeat(5000)],
  ])('%s is refused', (_, source) => expect(thrown(() => msgpack.decode(hex(source)))).toMatchObject({ code: 'ERR_MESSAGE_INVALID', message: 'the message is not msgpack' }));

  test('what follows the value is refused with its length', () => {
    expect(thrown(() => msgpack.decode(hex('93010203040506')))).toMatchObject({ ...INVALID, cause: { message: '3 bytes after the value' } });
  });

  test('nested arrays that each declare all that is left reserve nothing', () => {
    const bytes = Buffer.alloc(1_000_000, 0xdd);
    for (let at = 0; at + 5 <= bytes.length; at += 5) bytes.writeUInt32BE(bytes.length - at - 5, at + 1);
    expect(thrown(() => msgpack.decode(bytes))).toMatchObject(INVALID);
  });

  test('integers are written as integers, never as floats', () => {
    const heads = [2 ** 32, -(2 ** 31) - 1, 2 ** 53 - 1, U64, I64, 5n].map((value) => msgpack.encode(value)[0]!.toString(16));
    expect(heads).toEqual(['cf', 'd3', 'cf', 'cf', 'd3', 'cf']);
    expect(Buffer.from(msgpack.encode({ a: 1.5, b: 3 })).toString('hex')).toBe('82a161cb3ff8000000000000a16203');
  });

  test('bytes stay bytes, and are a view when read', () => {
    const bytes = Buffer.from(msgpack.encode({ raw: Buffer.from([1, 2]), view: new Uint8Array([3]) }));
    const value = msgpack.decode(bytes) as { raw: Buffer; view: Buffer };
    expect([[...value.raw], [...value.view]]).toEqual([[1, 2], [3]]);
    expect(value.raw.buffer).toBe(bytes.buffer);
  });

  test('1024 levels come back, one more is refused', () => {
    const nested = (levels: number): unknown => Array.from({ length: levels }).reduce<unknown>((inner) => [inner], 1);
    expect(msgpack.decode(msgpack.encode(nested(1024)))).toEqual(nested(1024));
    expect(thrown(() => msgpack.encode(nested(1025)))).toMatchObject(INVALID);
  });

  test('a message written before stays as it was when the next one is written', () => {
    const first = msgpack.encode('a'.repeat(100_000));
    msgpack.encode('b'.repeat(100_000));
    expect(msgpack.decode(first)).toBe('a'.repeat(100_000));
  });

  test('the library and this reader agree', () => {
    const value = fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' }).filter((given) => !JSON.stringify(given).includes('__proto__'));
    fc.assert(fc.property(value, (given) => {
      expect(msgpack.decode(libraryEncode(given))).toEqual(libraryDecode(libraryEncode(given)));
      expect(libraryDecode(msgpack.encode(given))).toEqual(libraryDecode(libraryEncode(given)));
    }), { numRuns: 300 });
  });
});
