import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { DIALECTS, type DialectName } from '../../../src/middleware/dialects/index.js';
import { ResponseObserver } from '../../../src/middleware/observation/index.js';
import { chat, chunks, typed } from '../dialects/cases.js';
import { observe, timeless } from './observe.js';

const USAGE = { prompt_tokens: 11, completion_tokens: 7 };
const STREAM = chunks(chat({ role: 'assistant', content: '' }), chat({ content: 'a' }), chat({ content: 'b' }), chat({}, { usage: USAGE }, { finish_reason: 'stop' }));
const COUNTED = { inputTokens: 11, outputTokens: 7 };
const MIB = 1024 * 1024;

function observer(dialect: DialectName = 'openai-chat', contentType = 'text/event-stream'): ResponseObserver {
  const made = new ResponseObserver(DIALECTS[dialect]);
  made.head(200, contentType, undefined);
  return made;
}

describe('times', () => {
  test('the first token is the first chunk with content, the last the last one with content', () => {
    const events = STREAM.split(/(?<=\n\n)/);
    expect(observe(events)).toMatchObject({ firstTokenAt: 20, lastTokenAt: 30, tokenChunks: 2 });
  });

  test('an event counts when its end goes out', () => {
    const event = chunks(chat({ content: 'a' }));
    expect(observe([event.slice(0, 40), event.slice(40)])).toMatchObject({ firstTokenAt: 20 });
  });

  test('a unary answer has no first token', () => {
    const facts = observe([JSON.stringify({ id: 'x', usage: USAGE })], { contentType: 'application/json' });
    expect(facts.firstTokenAt).toBeUndefined();
    expect(facts).toMatchObject(COUNTED);
  });
});

describe('what is read', () => {
  const json = JSON.stringify({ id: 'x', usage: USAGE });
  test.each([
    ['a content type in capitals with parameters', STREAM, { contentType: 'Text/Event-Stream;charset=utf-8' }],
    ['a JSON suffix', json, { contentType: 'application/vnd.api+json' }],
    ['a stream without a content type', STREAM, { contentType: undefined }],
    ['JSON without a content type', json, { contentType: undefined }],
    ['an encoding of identity', STREAM, { contentEncoding: 'identity' }],
    ['a stream that will be compressed only later', STREAM, { contentEncoding: 'gzip' }],
    ['JSON that will be compressed only later', json, { contentType: 'application/json', contentEncoding: 'br' }],
    ['text in UTF-8 by name', STREAM, { encoding: 'utf8' as const }],
    ['text in Latin-1', STREAM, { encoding: 'latin1' as const }],
  ])('%s', (_title, body, how) => {
    expect(observe([body], how)).toMatchObject(COUNTED);
  });

  test.each(['hex', 'base64'] as const)('bytes written as %s', (encoding) => {
    expect(observe([Buffer.from(STREAM).toString(encoding)], { encoding })).toMatchObject(COUNTED);
  });

  test('a Uint8Array that is a view of something larger', () => {
    const large = Buffer.from(`xxxx${STREAM}yyyy`);
    expect(observe([new Uint8Array(large.buffer, large.byteOffset + 4, large.length - 8)])).toMatchObject(COUNTED);
  });

  test('whether it is a stream', () => {
    expect(observer().streaming).toBe(true);
    expect(observer('openai-chat', 'application/json').streaming).toBe(false);
  });
});

describe('a head that does not tell, or tells of a compression that comes after us', () => {
  const answer = JSON.stringify({ id: 'x', usage: USAGE });
  const lines = [chat({ content: 'a' }), chat({}, { usage: USAGE }, { finish_reason: 'stop' })].map((event) => `${JSON.stringify(event)}\n`).join('');
  const bytewise = (body: string): Buffer[] => [...Buffer.from(body)].map((byte) => Buffer.from([byte]));

  test.each([
    ['a stream', 'text/event-stream', `\ufeff${STREAM}`, { tokenChunks: 2 }],
    ['a stream that begins with a comment', 'text/event-stream', `: hello\n\n${STREAM}`, { tokenChunks: 2 }],
    ['a stream that begins with retry', 'text/event-stream', `retry: 10\n${STREAM}`, { tokenChunks: 2 }],
    ['JSON after white space', 'application/json', ` \r\n${answer}`, { tokenChunks: 0, responseId: 'x' }],
    ['lines of JSON', 'application/x-ndjson', lines, { tokenChunks: 1, finishReason: 'stop' }],
    ['lines of JSON as text', 'text/plain', lines, { tokenChunks: 1, finishReason: 'stop' }],
    ['lines of JSON as bytes', 'application/octet-stream', lines, { tokenChunks: 1, finishReason: 'stop' }],
    ['lines of JSON of no type', undefined, lines, { tokenChunks: 1, finishReason: 'stop' }],
    ['a stream of no type', undefined, `event: x\n${STREAM}`, { tokenChunks: 2 }],
  ])('%s is read, whole and byte by byte', (_title, contentType, body, facts) => {
    for (const contentEncoding of contentType?.startsWith('text/event') === true || contentType?.endsWith('json') === true ? ['gzip', 'br'] : ['gzip', 'identity']) {
      expect(observe([body], { contentType, contentEncoding })).toMatchObject({ ...COUNTED, ...facts });
      expect(observe(bytewise(body), { contentType, contentEncoding })).toMatchObject({ ...COUNTED, ...facts });
    }
  });

  test('lines are timed from the first one on, although the second one tells that they are lines', () => {
    const events = lines.split(/(?<=\n)/);
    expect(observe([events[0]!.slice(0, 9), events[0]!.slice(9), ...events.slice(1)], { contentType: 'text/plain' })).toMatchObject({ firstTokenAt: 20, lastTokenAt: 20, tokenChunks: 1 });
  });

  test('a line longer than the carry-over: beginning and end are read', () => {
    const long = `${JSON.stringify(chat({ content: 'z'.repeat(200_000) }, { usage: USAGE }))}\n`;
    const pieces = Array.from({ length: 20 }, (_, at) => (lines + long).slice(at * 16_384, (at + 1) * 16_384));
    expect(observe(pieces, { contentType: 'application/x-ndjson' })).toMatchObject({ ...COUNTED, tokenChunks: 2 });
  });

  test('a first line longer than the carry-over is taken for one JSON text', () => {
    const body = JSON.stringify({ id: 'x', choices: [{ message: { content: 'z'.repeat(100_000) } }], usage: USAGE });
    expect(observe([`${body}\n`], { contentType: 'text/plain' })).toMatchObject({ ...COUNTED, tokenChunks: 0, contentSeen: true });
  });

  test.each(['text/event-stream', 'application/json', 'application/x-ndjson', 'text/plain', 'application/octet-stream', undefined])('bytes that really are compressed stay unread: %s', (contentType) => {
    for (const zipped of [gzipSync(STREAM), deflateSync(STREAM), brotliCompressSync(STREAM)]) {
      for (const pieces of [[zipped], [...zipped].map((byte) => Buffer.from([byte]))]) {
        const facts = observe(pieces, { contentType, contentEncoding: 'x' });
        expect(facts).toMatchObject({ tokenChunks: 0, contentSeen: false, inputTokens: undefined });
        expect(facts.firstTokenAt !== undefined).toBe(contentType === 'text/event-stream' || contentType === 'application/x-ndjson');
      }
    }
  });

  test('whether it is a stream is known as soon as the first pieces tell', () => {
    const made = new ResponseObserver(DIALECTS['openai-chat']);
    made.head(200, 'text/plain', undefined);
    expect(made.streaming).toBe(false);
    made.chunk(lines, undefined, 1);
    expect(made.streaming).toBe(true);
    made.end(2);
    expect(made.streaming).toBe(true);
  });
});

describe('plain text', () => {
  const how = { dialect: 'text-stream', contentType: 'text/plain; charset=utf-8' } as const;

  test('counts by its pieces when the dialect says that it is content', () => {
    for (const dialect of ['text-stream', 'ai-sdk'] as const) {
      expect(observe(['Hi', Buffer.from(' the'), '', 're'], { ...how, dialect })).toMatchObject({ outputTokens: 3, outputTokensEstimated: true, tokenChunks: 3, firstTokenAt: 10, lastTokenAt: 40, contentSeen: true });
    }
  });

  test('counts although it looks like JSON or an event stream', () => {
    expect(observe(['{"a":', '1}\n{'], how)).toMatchObject({ tokenChunks: 2 });
    expect(observe(['data: ', 'x\n\n'], how)).toMatchObject({ tokenChunks: 2 });
  });

  test('of one piece is an answer like any other: nothing to count, no first token', () => {
    expect(observe(['Hi there'], how)).toMatchObject({ outputTokens: undefined, tokenChunks: 0, firstTokenAt: undefined, contentSeen: true });
  });

  test('of other dialects and of errors counts nothing', () => {
    expect(observe(['Hi', 'there'], { ...how, dialect: 'openai-chat' })).toMatchObject({ tokenChunks: 0, contentSeen: false });
    expect(observe(['Hi', 'there'], { ...how, status: 500 })).toMatchObject({ tokenChunks: 0, contentSeen: false });
    expect(observe([JSON.stringify({ error: { message: 'no', code: 500 } })], { ...how, status: 500 })).toMatchObject({ error: { message: 'no', code: 500 } });
  });

  test.each(['é漢🙂 and more', 'abcdefghi'])('that is compressed after us is read, compressed bytes are timed: %s', (text) => {
    const bytes = [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
    expect(observe(bytes, { ...how, contentEncoding: 'gzip' })).toMatchObject({ tokenChunks: bytes.length, firstTokenAt: 10 });
    expect(observe([text, text], { ...how, contentEncoding: 'gzip' })).toMatchObject({ tokenChunks: 2 });
    expect(observe(['Hi', 'x'].map((one) => Buffer.from(one)), { ...how, contentEncoding: 'gzip' })).toMatchObject({ tokenChunks: 2 });
    // Zstandard's mark begins with a bracket, deflate's with an x.
    for (const zipped of [gzipSync(text), deflateSync(text), brotliCompressSync(text.repeat(9)), Buffer.from('28b52ffd200949000061626364', 'hex')]) {
      expect(observe([...zipped].map((byte) => Buffer.from([byte])), { ...how, contentEncoding: 'gzip' })).toMatchObject({ tokenChunks: 0, contentSeen: false, firstTokenAt: 10 });
      expect(observe([zipped.subarray(0, 9), zipped.subarray(9)], { ...how, contentEncoding: 'gzip' })).toMatchObject({ tokenChunks: 0, contentSeen: false, firstTokenAt: 10, lastTokenAt: 20 });
    }
  });
});

describe("the AI SDK's header", () => {
  const body = chunks({ type: 'start', messageId: 'msg-1' }, { type: 'text-delta', id: 't', delta: 'a' }, { type: 'finish', finishReason: 'stop', messageMetadata: { totalUsage: { inputTokens: 11, outputTokens: 7 } } });

  test('tells of UI messages, whatever the dialect of the route', () => {
    const made = new ResponseObserver(DIALECTS.generic);
    made.head(200, 'text/event-stream', undefined, 'v1');
    made.chunk(body, undefined, 1);
    made.end(2);
    expect(made.facts()).toMatchObject({ ...COUNTED, responseId: 'msg-1', finishReason: 'stop', tokenChunks: 1 });
  });

  test('is needed on a route of another dialect', () => {
    expect(observe([body], { dialect: 'generic' })).toMatchObject({ inputTokens: undefined, tokenChunks: 0 });
  });
});

describe('what is not read', () => {
  const NOTHING = { outputTokensEstimated: false, tokenChunks: 0, contentSeen: false };

  test('a compressed stream is timed only', () => {
    const zipped = gzipSync(STREAM);
    expect(timeless(observe([zipped.subarray(0, 30), zipped.subarray(30)], { contentEncoding: 'gzip' }))).toEqual(timeless({ ...observe([]), ...NOTHING }));
    expect(observe([zipped.subarray(0, 30), zipped.subarray(30)], { contentEncoding: 'gzip' })).toMatchObject({ ...NOTHING, firstTokenAt: 10, lastTokenAt: 20 });
  });

  test('a compressed body and other types are passed over', () => {
    const json = JSON.stringify({ id: 'x', usage: USAGE });
    expect(observe([gzipSync(json)], { contentType: 'application/json', contentEncoding: 'gzip' })).toMatchObject(NOTHING);
    expect(observe([json], { contentType: 'audio/mpeg' })).toMatchObject({ ...NOTHING, responseId: undefined });
    expect(observe(['plain'], { contentType: undefined })).toMatchObject(NOTHING);
  });

  test('a body that is cut off tells what stands before the cut', () => {
    const json = JSON.stringify({ id: 'x', model: 'm', choices: [{ index: 0, finish_reason: 'stop', message: { content: 'long' } }], usage: USAGE });
    expect(observe([json.slice(0, -8)], { contentType: 'application/json' })).toMatchObject({ responseId: 'x', model: 'm', finishReason: 'stop', inputTokens: undefined });
  });

  test('counts that are no counts', () => {
    const usage = { prompt_tokens: -1, completion_tokens: 1.5, prompt_tokens_details: { cached_tokens: '4' } };
    expect(observe([JSON.stringify({ usage })], { contentType: 'application/json' })).toMatchObject({ inputTokens: undefined, outputTokens: undefined, cachedTokens: undefined });
  });

  test('keys of Object.prototype and __proto__ are keys like any other', () => {
    expect(observe(['{"__proto__":{"id":"evil"},"constructor":{"id":"x"},"usage":{"__proto__":{"prompt_tokens":3}}}'], { contentType: 'application/json' })).toMatchObject({ responseId: undefined, inputTokens: undefined });
    expect(({} as Record<string, unknown>)['id']).toBeUndefined();
  });

  test('long texts are cut', () => {
    const facts = observe([JSON.stringify({ id: 'x'.repeat(1000), error: { message: 'y'.repeat(5000) } })], { contentType: 'application/json' });
    expect(facts.responseId).toHaveLength(256);
    expect(facts.error?.message).toHaveLength(1024);
  });

  test('u64 worker ids keep every digit', () => {
    const body = '{"id":"x","nvext":{"worker_id":{"prefill_worker_id":18446744073709551615,"decode_worker_id":7587888160958628888}}}';
    expect(observe([body], { contentType: 'application/json' })).toMatchObject({ prefillWorkerId: '18446744073709551615', decodeWorkerId: '7587888160958628888' });
  });
});

describe('bounds', () => {
  test('a line longer than the carry-over is passed over and the stream goes on', () => {
    const made = observer();
    made.chunk(`data: {"id":"early","choices":[{"delta":{"content":"`, undefined, 1);
    for (let i = 0; i < 3000; i += 1) {
      made.chunk('z'.repeat(1000), undefined, 2);
      expect(made.held).toBeLessThanOrEqual(64 * 1024);
    }
    made.chunk('"},"finish_reason":null}],"usage":null}\n\n', undefined, 3);
    made.chunk(STREAM, undefined, 4);
    made.end(5);
    expect(made.facts()).toMatchObject({ ...COUNTED, responseId: 'early', finishReason: 'stop', tokenChunks: 3 });
  });

  test('usage at the end of a long last event is found: response.completed repeats the whole answer', () => {
    const output = [{ type: 'message', content: [{ text: 'é'.repeat(200_000) }] }];
    const body = Buffer.from(typed({ type: 'response.completed', response: { id: 'resp_1', status: 'completed', error: null, output, usage: { input_tokens: 11, output_tokens: 7 } } }));
    const pieces = Array.from({ length: Math.ceil(body.length / 16_384) }, (_, index) => body.subarray(index * 16_384, (index + 1) * 16_384));
    expect(observe(pieces, { dialect: 'openai-responses' })).toMatchObject({ ...COUNTED, responseId: 'resp_1', finishReason: 'completed' });
  });

  test.each([1, 1000, 65_536, 5 * MIB])('a unary body of 5 MiB in pieces of %d bytes tells usage and id, and 1 MiB is held at most', (size) => {
    const body = Buffer.from(JSON.stringify({ id: 'x', model: 'm', choices: [{ index: 0, message: { content: '"☃'.repeat((size === 1 ? 0.25 : 1) * MIB) }, finish_reason: 'length' }], usage: USAGE }));
    const made = observer('openai-chat', 'application/json');
    let most = 0;
    for (let at = 0; at < body.length; at += size) {
      made.chunk(body.subarray(at, at + size), undefined, at);
      if (at % 4096 === 0) most = Math.max(most, made.held);
    }
    expect(size > MIB ? 0 : most).toBeLessThanOrEqual(MIB);
    made.end(0);
    expect(made.facts()).toMatchObject({ ...COUNTED, responseId: 'x', finishReason: 'length' });
    expect(made.held).toBe(0);
  });

  test('the buffers it was given may be used again', () => {
    const shared = Buffer.alloc(64);
    const bytes = Buffer.from(STREAM);
    const made = observer();
    for (let at = 0; at < bytes.length; at += 50) {
      const length = bytes.copy(shared, 0, at, at + 50);
      made.chunk(shared.subarray(0, length), undefined, 1);
      shared.fill(0);
    }
    made.end(2);
    expect(made.facts()).toMatchObject({ ...COUNTED, tokenChunks: 2 });
  });

  test('junk never throws and what is held stays bounded', () => {
    const pieces = fc.array(fc.oneof(
      fc.uint8Array({ maxLength: 400 }), fc.string({ maxLength: 200 }), fc.json(), fc.constantFrom(
        'data: {', '\n', '\r', '\n\n', 'data:', 'event: error\n', 'event: content_block_delta\n', '{"usage":', '{"choices":[{"delta":{', '"usage":{', '"\\', '\\"', '[', ']', '}', '\ufeff', 'data: [DONE]\n\n', '-1', '"error":', 'x'.repeat(70_000),
      )), { maxLength: 40 });
    fc.assert(fc.property(pieces, fc.constantFrom(...(Object.keys(DIALECTS) as DialectName[])), fc.constantFrom('text/event-stream', 'application/json', 'application/x-ndjson', 'text/plain', ''), fc.constantFrom(200, 500), fc.constantFrom(undefined, 'gzip'), (given, dialect, type, status, encoding) => {
      const made = new ResponseObserver(DIALECTS[dialect]);
      made.head(status, type === '' ? undefined : type, encoding);
      for (const piece of given) {
        made.chunk(piece, undefined, 1);
        expect(made.held).toBeLessThanOrEqual(type === 'text/event-stream' && encoding === undefined ? 64 * 1024 : 2 * MIB);
      }
      made.end(2);
      made.facts();
    }), { numRuns: 1500 });
  });

  test('JSON cut at every place never throws', () => {
    const json = JSON.stringify({ id: 'a\\"b', usage: { ...USAGE, details: [1, [2, { a: null }]] }, choices: [{ finish_reason: 'stop', index: 0 }, [], 'x', 1.5e-7], error: { message: 'm' } });
    for (let end = 0; end < json.length; end += 1) expect(() => observe([json.slice(0, end)], { contentType: 'application/json' })).not.toThrow();
    expect(observe([json], { contentType: 'application/json' })).toMatchObject({ responseId: 'a\\"b', ...COUNTED, finishReason: 'stop', error: { message: 'm' } });
  });
});

test('calls out of order do no harm', () => {
  const made = new ResponseObserver(DIALECTS['openai-chat']);
  made.end(1);
  made.chunk(STREAM, undefined, 2);
  made.end(3);
  expect(made.facts()).toMatchObject({ tokenChunks: 0, error: undefined });
});
