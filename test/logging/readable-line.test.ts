import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { escapeControls, readableLine } from '../../src/logging/format.js';
import type { LogEntry } from '../../src/logging/index.js';
import { circular, entry, SCOPE } from './support.js';

const TIME = '2026-08-21T10:00:00.123456Z';

function line(over: Partial<LogEntry>, colour = false): string {
  return readableLine(colour)(entry(over), TIME);
}

describe('a readable line', () => {
  it('in a request: time, level, span, target, message, own fields, ids, fields of the span', () => {
    expect(line({ scope: SCOPE, target: 'dynamo_tracing::request', message: 'request completed', display: true, fields: { model: 'm', error_type: undefined, elapsed_ms: 12, ttft_ms: 3.5, output_tokens_estimated: true } })).toBe(
      '2026-08-21T10:00:00.123456Z  INFO http-request: dynamo_tracing::request: request completed model=m elapsed_ms=12 ttft_ms=3.50 output_tokens_estimated=true '
      + 'request_id=6b3f2a60-3f0e-4f0e-9d55-1c1a6f0f3b11 x_request_id="order 42" trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331 parent_id=00f067aa0ba902b7 '
      + 'method=POST uri=/v1/chat/completions',
    );
  });

  it.each([
    ['trace', 'TRACE'],
    ['debug', 'DEBUG'],
    ['info', ' INFO'],
    ['warn', ' WARN'],
    ['error', 'ERROR'],
  ] as const)('pads the level %s', (level, shown) => {
    expect(line({ level })).toBe(`${TIME} ${shown} app: hello`);
  });

  it('colours the level only', () => {
    expect(line({ level: 'error', fields: { a: 1 } }, true)).toBe(`${TIME} \u001b[31mERROR\u001b[0m app: hello a=1`);
  });

  it.each<[unknown, string | undefined]>([
    ['plain', 'plain'],
    ['two words', '"two words"'],
    ['', '""'],
    ['a=b', '"a=b"'],
    ['say "hi"', String.raw`"say \"hi\""`],
    ['/v1/x:y@z+1-2_3.4', '/v1/x:y@z+1-2_3.4'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    [true, 'true'],
    [null, 'null'],
    [18446744073709551615n, '18446744073709551615'],
    [{ a: [1n, 'x'] }, '{"a":["1","x"]}'],
    [circular(), '"[not serialisable: Converting circular structure to JSON]"'],
    [undefined, undefined],
    [() => 1, undefined],
    [Symbol('s'), undefined],
  ])('shows the value %p as %s', (value, shown) => {
    expect(line({ fields: { value } })).toBe(shown === undefined ? `${TIME}  INFO app: hello` : `${TIME}  INFO app: hello value=${shown}`);
  });

  it('keeps an event\'s field over the span\'s, and ids from the scope', () => {
    const text = line({ scope: SCOPE, fields: { uri: '/now', request_id: 'forged' } });
    expect(text).toContain('hello uri=/now request_id=6b3f2a60');
    expect(text).not.toContain('forged');
    expect(text).not.toContain('/v1/chat');
  });

  it.each<[string, string]>([
    ['a line feed', 'x\n2026-08-21T10:00:00.000000Z  INFO app: forged'],
    ['a carriage return', 'x\rforged'],
    ['an ANSI escape', '\u001b[2J\u001b[31mred'],
    ['a C1 control sequence', '\u009b31mred\u0085next'],
    ['line and paragraph separators', 'a\u2028b\u2029c'],
    ['characters that change the direction', 'a\u202eforged\u202c\u2066b\u2069\u200f\u061c'],
    ['NUL, backspace, delete', '\u0000\b\u007f'],
  ])('cannot be forged with %s in message, value, key, target or span', (_what, evil) => {
    const text = line({ message: evil, target: evil, fields: { value: evil, [evil]: 'v', deep: { [evil]: evil }, err: new Error(evil) }, scope: { ...SCOPE, xRequestId: evil, spanName: evil } });
    // eslint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/);
  });

  it('holds no control character for any fields', () => {
    fc.assert(fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.anything({ withBigInt: true })), fc.string({ unit: 'binary' }), (fields, message) => {
      // eslint-disable-next-line no-control-regex
      expect(line({ fields, message })).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/);
    }));
  });
});

describe('escapeControls', () => {
  it.each([
    ['plain text, é and 漢', 'plain text, é and 漢'],
    ['a\nb', String.raw`a\u000ab`],
    ['\u001b[31m', String.raw`\u001b[31m`],
    ['\u009b\u2028', String.raw`\u009b\u2028`],
  ])('%j', (given, shown) => {
    expect(escapeControls(given)).toBe(shown);
  });
});
