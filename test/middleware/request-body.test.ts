import { expect, test } from '@jest/globals';
import { readBody } from '../../src/middleware/request-body.js';

const LONG = 'say \\"model\\": '.repeat(1000);

test.each<[string, unknown, unknown]>([
  ['a parsed object', { model: 'm', stream: true }, { model: 'm', stream: true }],
  ['a parsed object without a model', { stream: false }, { model: undefined, stream: false }],
  ['a model that is no text', { model: 7 }, { model: undefined, stream: undefined }],
  ['a long model name', { model: 'x'.repeat(300) }, { model: 'x'.repeat(256), stream: undefined }],
  ['JSON text', '{"messages":[{"model":"inner","content":"\\"stream\\":true"}],"model":"outer"}', { model: 'outer', stream: undefined }],
  ['JSON bytes', Buffer.from(`{"prompt":"${LONG}","stream":true,"model":"módel"}`), { model: 'módel', stream: true }],
  ['text that is no JSON', 'model=m', undefined],
  ['an empty object, as a body parser leaves it', {}, undefined],
  ['an array', [1], undefined],
  ['nothing', undefined, undefined],
  ['more than a mebibyte', Buffer.from(`{"model":"m","pad":"${'x'.repeat(2 ** 20)}"}`), undefined],
])('%s', (_name, body, facts) => {
  expect(readBody(body)).toEqual(facts);
});
