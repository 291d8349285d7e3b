import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { jsonLine } from '../../src/logging/format.js';
import type { LogEntry } from '../../src/logging/index.js';
import { circular, entry, IDS, SCOPE } from './support.js';

const TIME = '2026-08-21T10:00:00.123456Z';

function line(over: Partial<LogEntry>): string {
  return jsonLine(entry(over), TIME);
}

function parsed(fields: Record<string, unknown>, over: Partial<LogEntry> = {}): Record<string, unknown> {
  const { time: _time, level: _level, target: _target, message: _message, ...rest } = JSON.parse(line({ fields, ...over })) as Record<string, unknown>;
  return rest;
}

describe('a JSONL line', () => {
  it('of a lifecycle record: time, level, target, message, then all fields by name, numbers as text', () => {
    expect(line({
      target: 'dynamo_tracing::request',
      message: 'request completed',
      display: true,
      scope: SCOPE,
      fields: { model: 'm', endpoint: 'chat_completions', request_type: 'stream', status: 'success', error_type: undefined, elapsed_ms: 812, input_tokens: 12, output_tokens: 0, output_tokens_estimated: true, ttft_ms: 31.5, avg_itl_ms: 7 },
    })).toBe(
      '{"time":"2026-08-21T10:00:00.123456Z","level":"INFO","target":"dynamo_tracing::request","message":"request completed","avg_itl_ms":"7.00","elapsed_ms":"812",'
      + '"endpoint":"chat_completions","input_tokens":"12","method":"POST","model":"m","output_tokens":"0","output_tokens_estimated":"true","parent_id":"00f067aa0ba902b7",'
      + '"request_id":"6b3f2a60-3f0e-4f0e-9d55-1c1a6f0f3b11","request_type":"stream","span_id":"b7ad6b7169203331","span_name":"http-request","status":"success",'
      + '"trace_id":"0af7651916cd43dd8448eb211c80319c","ttft_ms":"31.50","uri":"/v1/chat/completions","x_request_id":"order 42"}',
    );
  });

  it('of the application, outside any request: values keep their types', () => {
    expect(line({ level: 'warn', fields: { b: 1.5, a: 'two words', c: true, d: null, ttft_ms: 3, list: [1, 'x'] } }))
      .toBe('{"time":"2026-08-21T10:00:00.123456Z","level":"WARN","target":"app","message":"hello","a":"two words","b":1.5,"c":true,"d":null,"list":[1,"x"],"ttft_ms":3}');
  });

  it.each<[string, unknown, unknown]>([
    ['text with spaces, quotes and =', 'a "b" c=d', 'a "b" c=d'],
    ['digits as text', '123', '123'],
    ['an empty text', '', ''],
    ['BigInt', 18446744073709551615n, '18446744073709551615'],
    ['BigInt deep inside', { ids: [18446744073709551615n] }, { ids: ['18446744073709551615'] }],
    ['NaN', NaN, 'NaN'],
    ['Infinity', -Infinity, '-Infinity'],
    ['a large number', 1e21, 1e21],
    ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['a date that is none', new Date(NaN), null],
    ['a circular object', circular(), expect.stringMatching(/^\[not serialisable: Converting circular structure to JSON\]$/)],
    ['an object whose getter throws', { get bad() { throw new Error('no\nmore'); } }, '[not serialisable: no]'],
    ['an object whose toJSON throws', { toJSON() { throw new Error('no'); } }, '[not serialisable: no]'],
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    ['an object that throws nothing', { toJSON() { throw undefined; } }, '[not serialisable: unknown]'],
    ['undefined', undefined, undefined],
    ['a function', () => 1, undefined],
    ['a symbol', Symbol('s'), undefined],
    ['an object whose toJSON gives undefined', { toJSON: () => undefined }, undefined],
    ['C1 controls and line separators', '\u0085\u009b31m\u2028\u2029\u007f', '\u0085\u009b31m\u2028\u2029\u007f'],
    ['a lone surrogate', '\ud800', '\ud800'],
  ])('shows %s', (_what, given, seen) => {
    expect(parsed({ value: given })['value']).toEqual(seen);
  });

  it('is one line of visible characters, whatever it carries', () => {
    const nasty = 'a\n\r\t\u001b[31m\u0000\u007f\u0085\u009b\u2028\u2029\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069';
    const text = line({ message: nasty, target: nasty, fields: { [nasty]: nasty } });
    // eslint-disable-next-line no-control-regex
    expect(text).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/);
    expect(JSON.parse(text)).toMatchObject({ message: nasty, target: nasty, [nasty]: nasty });
  });

  it('carries a huge value whole', () => {
    const huge = 'x'.repeat(5_000_000);
    expect(parsed({ huge })['huge']).toBe(huge);
  });

  it('shows an error with its own fields, its cause and errors inside it', () => {
    const cause = new TypeError('why');
    const error = Object.assign(new AggregateError([], 'what', { cause }), { code: 'E', id: 1n });
    expect(parsed({ err: error, deep: { error: cause } })).toEqual({
      err: { code: 'E', id: '1', type: 'AggregateError', message: 'what', stack: error.stack, cause: { type: 'TypeError', message: 'why', stack: cause.stack } },
      deep: { error: { type: 'TypeError', message: 'why', stack: cause.stack } },
    });
  });

  it('shows an error of another realm', () => {
    expect(parsed({ err: runInNewContext('new TypeError("foreign")') })['err']).toMatchObject({ type: 'TypeError', message: 'foreign' });
  });

  it('survives an error that is its own cause, or whose fields throw', () => {
    const own = new Error('x');
    own.cause = own;
    const bad = Object.defineProperty(new Error('x'), 'stack', { get: () => { throw new Error('no'); } });
    expect(parsed({ own, bad })).toEqual({ own: expect.stringContaining('[not serialisable'), bad: '[not serialisable: no]' });
  });

  it('keeps the event\'s field where the span has one of the same name', () => {
    expect(parsed({ uri: '/now', extra: 1 }, { scope: SCOPE })).toMatchObject({ uri: '/now', method: 'POST', extra: 1 });
  });

  it('takes ids from the scope alone: given ones are replaced, and left out where the scope has none', () => {
    const forged = Object.fromEntries(Object.keys(IDS).map((key) => [key, 'forged']));
    expect(parsed(forged, { scope: SCOPE })).toEqual({ ...IDS, method: 'POST', uri: '/v1/chat/completions' });
    expect(parsed(forged, { scope: { traceId: 't', spanId: 's', traceFlags: 0 } })).toEqual({ trace_id: 't', span_id: 's' });
  });

  it('leaves fields called like ids alone outside any request', () => {
    expect(parsed({ request_id: 'mine' })).toEqual({ request_id: 'mine' });
  });

  it('has each of time, level, target and message once: fields of these names give way', () => {
    const text = line({ fields: { time: 1, level: 2, target: 3, message: 4, msg: 5 } });
    expect(text).toBe(`{"time":"${TIME}","level":"INFO","target":"app","message":"hello","msg":5}`);
  });

  it('has a field called __proto__', () => {
    expect(line({ fields: JSON.parse('{"__proto__":{"a":1}}') as Record<string, unknown> })).toContain('"__proto__":{"a":1}');
  });

  it('is JSON on one line for any fields', () => {
    fc.assert(fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.anything({ withBigInt: true, withDate: true, withMap: true })), fc.string({ unit: 'binary' }), fc.boolean(), (fields, message, display) => {
      const text = line({ fields, message, display });
      expect(text).not.toMatch(/[\n\r\u0085\u2028\u2029]/);
      expect(JSON.parse(text)).toMatchObject({ time: TIME, level: 'INFO', message });
    }));
  });
});
