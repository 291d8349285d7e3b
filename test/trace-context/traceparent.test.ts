import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatTraceparent, isSpanId, isTraceId, parseTraceparent, type Traceparent } from '../../src/trace-context/index.js';

const vectors = JSON.parse(readFileSync(join(__dirname, '../vectors/traceparent.json'), 'utf8')) as { value: string; valid: boolean; why: string }[];

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const HEADER = `00-${TRACE}-${SPAN}-01`;

/** The rules a second time, as one expression. */
const ORACLE = /^[ \t]*(?!ff)(?:00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}|(?!00)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?)[ \t]*$/s;

const hex = (length: number) => fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdef')), minLength: length, maxLength: length });
const ids = fc.record({
  traceId: hex(32).filter((id) => !/^0+$/.test(id)),
  spanId: hex(16).filter((id) => !/^0+$/.test(id)),
  traceFlags: fc.integer({ min: 0, max: 3 }),
});

describe('parseTraceparent', () => {
  it.each(vectors)('vector: $why (valid: $valid)', ({ value, valid }) => {
    expect(parseTraceparent(value) !== undefined).toBe(valid);
  });

  it('gives the ids and the flags', () => {
    expect(parseTraceparent(HEADER)).toEqual({ traceId: TRACE, spanId: SPAN, traceFlags: 1 });
  });

  it.each<[string, number]>([['00', 0], ['01', 1], ['02', 2], ['03', 3], ['04', 0], ['09', 1], ['fe', 2], ['ff', 3]])('keeps of the flags %s what it knows: %i', (flags, known) => {
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-${flags}`)?.traceFlags).toBe(known);
  });

  it.each(['01', '0a', '7f', 'cc', 'fe'])('reads version %s by its first four fields', (version) => {
    const read = { traceId: TRACE, spanId: SPAN, traceFlags: 1 };
    for (const rest of ['', '-', '-00', '-what-the-future-will-be-like', ' ', '\t']) expect(parseTraceparent(`${version}-${TRACE}-${SPAN}-01${rest}`)).toEqual(read);
    for (const rest of ['.', '0', ' -', '=x', '\n']) expect(parseTraceparent(`${version}-${TRACE}-${SPAN}-01${rest}`)).toBeUndefined();
  });

  it.each<[string, string]>([
    ['upper-case version', HEADER.replace('00-', 'CC-')],
    ['upper-case trace id', HEADER.replace(TRACE, TRACE.toUpperCase())],
    ['one upper-case digit in the span id', HEADER.replace('f067', 'F067')],
    ['upper-case flags', HEADER.replace(/01$/, '0A')],
    ['version of one digit', HEADER.slice(1)],
    ['version of three digits', `0${HEADER}`],
    ['version ff with more', `ff-${TRACE}-${SPAN}-01-more`],
    ['underscores', HEADER.replaceAll('-', '_')],
    ['a dash in the wrong place', `00-${TRACE}${SPAN.slice(0, 1)}-${SPAN.slice(1)}-01`],
    ['zero trace id in a later version', `01-${'0'.repeat(32)}-${SPAN}-01`],
    ['zero span id in a later version', `01-${TRACE}-${'0'.repeat(16)}-01`],
    ['a line feed after it', `${HEADER}\n`],
    ['a no-break space before it', `\u00a0${HEADER}`],
    ['full-width digits', HEADER.replace('4736', '４７３６')],
    ['blanks only', ' \t '],
    ['two values joined', `${HEADER}, ${HEADER}`],
    ['quotes around it', `"${HEADER}"`],
    ['a NUL inside', HEADER.replace('a', '\0')],
  ])('refuses: %s', (_what, value) => {
    expect(parseTraceparent(value)).toBeUndefined();
  });

  it('agrees with the rules on random changes of a valid header, and never throws', () => {
    const version = fc.constantFrom('00', '01', 'cc', 'fe', 'ff');
    const rest = fc.constantFrom('', '-', '-more', '.more', ' ');
    const piece = fc.oneof(fc.constantFrom('', '-', ' ', '\t', '0', 'f', 'F', ',', '\n', '.'), fc.string());
    fc.assert(fc.property(version, ids, rest, fc.nat(60), fc.nat(3), piece, (v, id, more, at, cut, insert) => {
      const header = `${v}-${id.traceId}-${id.spanId}-0${id.traceFlags}${more}`;
      const value = header.slice(0, at) + insert + header.slice(at + cut);
      expect([value, parseTraceparent(value) !== undefined]).toEqual([value, ORACLE.test(value)]);
    }), { numRuns: 2000 });
  });

  it('never throws on any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 120 }), (value) => {
      expect([value, parseTraceparent(value) !== undefined]).toEqual([value, ORACLE.test(value)]);
    }));
  });
});

describe('formatTraceparent', () => {
  it('is read back as it was', () => {
    fc.assert(fc.property(ids, (given) => {
      expect(parseTraceparent(formatTraceparent(given))).toEqual(given);
    }));
  });

  it('writes version 00 and no flag that it does not know', () => {
    const given: Traceparent = { traceId: TRACE, spanId: SPAN, traceFlags: 0xff };
    expect(formatTraceparent(given)).toBe(`00-${TRACE}-${SPAN}-03`);
  });
});

describe('isTraceId and isSpanId', () => {
  it.each<[string, boolean, boolean]>([
    [TRACE, true, false],
    [SPAN, false, true],
    ['0'.repeat(32), false, false],
    ['0'.repeat(16), false, false],
    [TRACE.toUpperCase(), false, false],
    [SPAN.toUpperCase(), false, false],
    [`${TRACE.slice(1)}g`, false, false],
    [TRACE.slice(1), false, false],
    [`${TRACE}0`, false, false],
    [`${SPAN}0`, false, false],
    ['', false, false],
  ])('%j: trace id %p, span id %p', (id, trace, span) => {
    expect([isTraceId(id), isSpanId(id)]).toEqual([trace, span]);
  });
});

describe('characters beside those of hex digits', () => {
  it.each(['/', ':', '`', 'g', '@', 'F'])('%j is none, in any field', (sign) => {
    for (const at of [0, 1, 3, 34, 36, 51, 53, 54]) expect(parseTraceparent(HEADER.slice(0, at) + sign + HEADER.slice(at + 1))).toBeUndefined();
    expect([isTraceId(sign + TRACE.slice(1)), isSpanId(SPAN.slice(0, 15) + sign)]).toEqual([false, false]);
  });

  it('0, 9, a and f are some', () => {
    expect(parseTraceparent(`00-${'09af'.repeat(8)}-${'09af'.repeat(4)}-00`)).toEqual({ traceId: '09af'.repeat(8), spanId: '09af'.repeat(4), traceFlags: 0 });
  });

  it.each([2, 35, 52])('a dash has no other sign in its place (%i)', (at) => {
    expect(parseTraceparent(`${HEADER.slice(0, at)}_${HEADER.slice(at + 1)}`)).toBeUndefined();
  });

  it('blanks are taken on one side as on both', () => {
    for (const text of [` ${HEADER}`, `${HEADER} `, `\t${HEADER}`, `${HEADER}\t`]) expect(parseTraceparent(text)).toMatchObject({ traceId: TRACE });
  });
});
