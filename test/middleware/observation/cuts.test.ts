import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ALL_CASES, chat, chunks, type Case } from '../dialects/cases.js';
import { cutAt, observe, timeless } from './observe.js';

const CASES = ALL_CASES.map((one): [string, Case] => [`${one.dialect}: ${one.title}`, one]);

/** The same stream with other line ends, and with comments, ids and a byte order mark that change nothing. */
const DRESSES: readonly [string, (body: string) => string][] = [
  ['CRLF', (body) => body.replaceAll('\n', '\r\n')],
  ['CR', (body) => body.replaceAll('\n', '\r')],
  ['mixed', (body) => body.replaceAll('\n\n', '\r\n\n')],
  ['comments', (body) => `\ufeff: hello\n\n${body.replaceAll('data: ', ': keep-alive\nid: 7\nretry: 10\ndata:')}`],
];

describe('a body cut anywhere shows the same as a whole one', () => {
  test.each(CASES)('%s', (_title, one) => {
    const bytes = Buffer.from(one.body);
    const whole = timeless(observe([one.body], one));
    expect(timeless(observe([bytes], one))).toEqual(whole);
    expect(timeless(observe([...bytes].map((byte) => Buffer.from([byte])), one))).toEqual(whole);
    expect(timeless(observe(Array.from(one.body), one))).toEqual(whole);
    fc.assert(fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (places) => expect(timeless(observe(cutAt(bytes, places), one))).toEqual(whole)), { numRuns: 60 });
  });
});

describe.each(DRESSES)('line ends and fields: %s', (_name, dress) => {
  test.each(CASES.filter(([, one]) => one.contentType.startsWith('text/event-stream')))('%s', (_title, one) => {
    const whole = timeless(observe([one.body], one));
    const bytes = Buffer.from(dress(one.body));
    expect(timeless(observe([bytes], one))).toEqual(whole);
    expect(timeless(observe([...bytes].map((byte) => Buffer.from([byte])), one))).toEqual(whole);
    fc.assert(fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (places) => expect(timeless(observe(cutAt(bytes, places), one))).toEqual(whole)), { numRuns: 20 });
  });
});

test('500 chunks with characters of every length, cut at random places, tell the same', () => {
  const events = Array.from({ length: 500 }, (_, index) => chat({ content: ['a', 'é', '☃', '😀', '"', '\\', '\n', 'data:'][index % 8] }));
  const bytes = Buffer.from(chunks(...events, chat({}, { usage: { prompt_tokens: 3, completion_tokens: 500 } }, { finish_reason: 'stop' })));
  const whole = timeless(observe([bytes]));
  expect(whole).toMatchObject({ tokenChunks: 500, outputTokens: 500, outputTokensEstimated: false, finishReason: 'stop', responseId: 'chatcmpl-1' });
  fc.assert(fc.property(fc.array(fc.nat(bytes.length), { maxLength: 900 }), (places) => expect(timeless(observe(cutAt(bytes, places)))).toEqual(whole)), { numRuns: 60 });
});

test('pieces may change between text and bytes', () => {
  const body = chunks(chat({ content: '☃é' }), chat({ content: 'x' }), { error: { message: 'né ☃' } });
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(body.length), fc.boolean()), { maxLength: 20 }), (cuts) => {
    const places = [0, ...cuts.map(([place]) => place).sort((a, b) => a - b), body.length];
    const pieces = places.slice(1).map((end, index) => (cuts[index]?.[1] === true ? Buffer.from(body.slice(places[index], end)) : body.slice(places[index], end)));
    expect(timeless(observe(pieces))).toMatchObject({ tokenChunks: 2, error: { message: 'né ☃' } });
  }), { numRuns: 200 });
});

test('JSON spread over several data lines is one event', () => {
  const spread = (event: object): string => JSON.stringify(event, null, 2).split('\n').map((line) => `data: ${line}\n`).join('') + '\n';
  const body = spread(chat({ content: 'a' })) + spread(chat({}, { usage: { prompt_tokens: 3, completion_tokens: 1 } }, { finish_reason: 'stop' }));
  expect(observe([body])).toMatchObject({ tokenChunks: 1, inputTokens: 3, outputTokens: 1, finishReason: 'stop' });
});

test.each([
  ['a brace that no key follows', '{x\n\n'],
  ['blanks, a brace and blanks', ' \n{ \n x'],
  ['an object', ' { "model": "m" }'],
  ['an object behind more blanks than are waited for', `${' '.repeat(70)}{ "model": "m" }`],
  ['an object with as many blanks behind its brace', `{${' '.repeat(70)}"model": "m" }`],
])('where the first piece ends does not decide what a body without a type is: %s', (_title, body) => {
  const whole = timeless(observe([body], { contentType: undefined }));
  for (let cut = 0; cut <= body.length; cut += 1) expect([cut, timeless(observe([body.slice(0, cut), body.slice(cut)], { contentType: undefined }))]).toEqual([cut, whole]);
});

test.each([
  ['a byte order mark after a key', 'data: {"choices":[{"delta":{"content"\ufeff:"a"}}]}\n\n'],
  ['a line separator before a value', 'data: {"choices":[{"delta":{"content":\u2028"a"}}]}\n\n'],
  ['a no-break space in an error', 'event: error\ndata: \u00a0{"message":"m"}\n\n'],
  ['a line separator before an object', '\u2028{"model":"m"}', undefined],
  ['a byte order mark between lines', '{"model":"m"}\n\ufeff{"model":"n"}\n', undefined],
])('white space that JSON does not have is read the same as text and as bytes: %s', (_title, body, contentType: string | undefined = 'text/event-stream') => {
  const how = { contentType: body.includes('data:') ? contentType : undefined };
  expect(timeless(observe([Buffer.from(body)], how))).toEqual(timeless(observe([body], how)));
});

test.each([30_000, 65_000])('a first line of %i characters is read the same as text and as bytes', (length) => {
  const body = `{"id":"${'x'.repeat(length)}","choices":[{"delta":{"content":"a"}}]}\n{"choices":[{"delta":{"content":"a"}}]}\n`;
  const facts = timeless(observe([body], { contentType: undefined }));
  expect(facts.tokenChunks).toBe(2);
  expect(timeless(observe([Buffer.from(body)], { contentType: undefined }))).toEqual(facts);
});
