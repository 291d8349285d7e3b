import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isRequestId, isUsableXRequestId, MAX_X_REQUEST_ID_LENGTH, newRequestId, resolveRequestIds } from '../../src/trace-context/index.js';

const vectors = JSON.parse(readFileSync(join(__dirname, '../vectors/request-ids.json'), 'utf8')) as { value: string; valid: boolean }[];
const V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const A = '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b';
const B = 'aaaaaaaa-5bd1-4657-bf8b-39cdcde9036b';

const resolve = (headers: Record<string, string | readonly string[]>) => resolveRequestIds((name) => headers[name]);

describe('isRequestId', () => {
  it.each(vectors)('vector $value: $valid', ({ value, valid }) => {
    expect(isRequestId(value)).toBe(valid);
  });

  it.each([
    `{${A}`, `${A}}`, `{{${A}}}`, `{${A.replaceAll('-', '')}}`, `urn:uuid:${A.replaceAll('-', '')}`, `urn:uuid:{${A}}`, `URN:UUID:${A}`, `urn:uuid:`, '{}', '{', `${A} `, `${A}\n`, `\t${A}`,
    A.replaceAll('-', '').slice(1), `${A.slice(0, 8)}${A.slice(9)}-`, '-'.repeat(36), '0'.repeat(36), 'x'.repeat(100_000),
  ])('refuses %j', (value) => {
    expect(isRequestId(value)).toBe(false);
  });

  it('takes every form of every UUID', () => {
    fc.assert(fc.property(fc.uuid(), (id) => {
      for (const form of [id, id.toUpperCase(), id.replaceAll('-', ''), `{${id}}`, `urn:uuid:${id}`]) expect([form, isRequestId(form)]).toEqual([form, true]);
    }));
  });

  it('agrees with the rules on random changes of a UUID', () => {
    const plain = '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}';
    const rules = new RegExp(`^(?:[0-9a-fA-F]{32}|${plain}|\\{${plain}\\}|urn:uuid:${plain})$`);
    const piece = fc.constantFrom('', 'a', '-', '{', '}', 'urn:uuid:', '\n', ' ', 'g', '0000');
    fc.assert(fc.property(fc.uuid(), fc.constantFrom('', '{', 'urn:uuid:'), fc.constantFrom('', '}'), fc.nat(46), fc.nat(2), piece, (id, open, close, at, cut, insert) => {
      const whole = open + id + close;
      const text = whole.slice(0, at) + insert + whole.slice(at + cut);
      expect([text, isRequestId(text)]).toEqual([text, rules.test(text)]);
    }), { numRuns: 2000 });
  });
});

describe('newRequestId', () => {
  it('is a new UUID v4', () => {
    expect(newRequestId()).toMatch(V4);
    expect(newRequestId()).not.toBe(newRequestId());
  });
});

describe('isUsableXRequestId', () => {
  it.each(['a', 'req-1', 'with space', '~!@#$%^&*()', 'x'.repeat(MAX_X_REQUEST_ID_LENGTH)])('takes %j', (value) => {
    expect(isUsableXRequestId(value)).toBe(true);
  });

  it.each(['', 'x'.repeat(MAX_X_REQUEST_ID_LENGTH + 1), 'tab\there', 'line\nfeed', 'end\n', 'é', '\u007f', '\u0000', '請求'])('refuses %j', (value) => {
    expect(isUsableXRequestId(value)).toBe(false);
  });
});

describe('resolveRequestIds', () => {
  const none = { xRequestId: undefined, invalid: [], droppedXRequestId: false, deprecatedHeader: false };

  it('makes a UUID v4 when there is no header', () => {
    expect(resolve({})).toEqual({ ...none, requestId: expect.stringMatching(V4) });
  });

  it.each(vectors.filter(({ valid }) => valid))('keeps request-id as written: $value', ({ value }) => {
    expect(resolve({ 'request-id': value })).toEqual({ ...none, requestId: value });
  });

  it('uses x-dynamo-request-id when there is no request-id, and says that it is deprecated', () => {
    expect(resolve({ 'x-dynamo-request-id': B })).toEqual({ ...none, requestId: B, deprecatedHeader: true });
  });

  it('prefers request-id, and still says that the deprecated header was there', () => {
    expect(resolve({ 'request-id': A, 'x-dynamo-request-id': B })).toEqual({ ...none, requestId: A, deprecatedHeader: true });
  });

  it('falls through an invalid request-id to a valid x-dynamo-request-id', () => {
    expect(resolve({ 'request-id': 'nope', 'x-dynamo-request-id': B })).toEqual({ ...none, requestId: B, invalid: [{ header: 'request-id', value: 'nope' }], deprecatedHeader: true });
  });

  it('names an invalid x-dynamo-request-id beside a valid request-id', () => {
    expect(resolve({ 'request-id': A, 'x-dynamo-request-id': 'nope' })).toEqual({ ...none, requestId: A, invalid: [{ header: 'x-dynamo-request-id', value: 'nope' }], deprecatedHeader: true });
  });

  it('names both when both are invalid, and makes a UUID', () => {
    expect(resolve({ 'request-id': 'no', 'x-dynamo-request-id': '' })).toEqual({
      ...none, requestId: expect.stringMatching(V4), deprecatedHeader: true, invalid: [{ header: 'request-id', value: 'no' }, { header: 'x-dynamo-request-id', value: '' }],
    });
  });

  it.each<[string, string | string[]]>([
    ['as an array', [A, A]],
    ['joined by Node', `${A}, ${A}`],
  ])('takes request-id given twice (%s) as invalid, equal values included', (_how, value) => {
    expect(resolve({ 'request-id': value })).toEqual({ ...none, requestId: expect.stringMatching(V4), invalid: [{ header: 'request-id', value: `${A}, ${A}` }] });
  });

  it('takes an array of one value as that value', () => {
    expect(resolve({ 'request-id': [A], 'x-request-id': ['mine'] })).toEqual({ ...none, requestId: A, xRequestId: 'mine' });
  });

  it('never makes x-request-id the canonical id', () => {
    expect(resolve({ 'x-request-id': B })).toEqual({ ...none, requestId: expect.not.stringMatching(B), xRequestId: B });
  });

  it.each<[string, string | string[]]>([
    ['too long', 'x'.repeat(257)],
    ['not visible ASCII', 'a\u0007b'],
    ['given twice', ['a', 'b']],
    ['empty', ''],
  ])('drops an x-request-id that is %s', (_what, value) => {
    expect(resolve({ 'request-id': A, 'x-request-id': value })).toEqual({ ...none, requestId: A, droppedXRequestId: true });
  });
});
