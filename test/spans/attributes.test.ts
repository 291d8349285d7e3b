import { describe, expect, it } from '@jest/globals';
import { ATTRIBUTE_SETS, SEMANTIC_NAMES, toAttributes, type AttributeSet, type SpanFields } from '../../src/spans/index.js';

const FIELDS: SpanFields = {
  method: 'POST',
  uri: '/v1/chat/completions',
  version: 'HTTP/1.1',
  status: 200,
  model: 'm',
  input_tokens: 7,
  finish_reason: 'stop',
  request_id: 'r',
  instance_id: 18446744073709551615n,
  x_request_id: undefined,
};
const DYNAMO = { method: 'POST', uri: '/v1/chat/completions', version: 'HTTP/1.1', status: 200, model: 'm', input_tokens: 7, finish_reason: 'stop' };
const SEMCONV = {
  'http.request.method': 'POST',
  'url.path': '/v1/chat/completions',
  'network.protocol.version': '1.1',
  'http.response.status_code': 200,
  'gen_ai.request.model': 'm',
  'gen_ai.usage.input_tokens': 7,
  'gen_ai.response.finish_reasons': ['stop'],
};
/** Fields without a semantic name: the same in every set. */
const OWN = { request_id: 'r', instance_id: '18446744073709551615' };

describe('toAttributes', () => {
  it.each<[AttributeSet, object]>([
    ['dynamo', { ...DYNAMO, ...OWN }],
    ['semconv', { ...SEMCONV, ...OWN }],
    ['both', { ...DYNAMO, ...SEMCONV, ...OWN }],
  ])('in the set %s gives the names of that set, leaves out undefined, writes BigInt as text', (set, expected) => {
    expect(toAttributes(set, FIELDS)).toEqual(expected);
  });

  it.each<[SpanFields, object]>([
    [{ uri: '/a?b=1?2' }, { 'url.path': '/a', 'url.query': 'b=1?2' }],
    [{ uri: '/a?' }, { 'url.path': '/a', 'url.query': '' }],
    [{ uri: '/a' }, { 'url.path': '/a' }],
    [{ version: 'HTTP/2.0' }, { 'network.protocol.version': '2' }],
    [{ version: '3' }, { 'network.protocol.version': '3' }],
    [{ finish_reason: ['stop', 'length'] }, { 'gen_ai.response.finish_reasons': ['stop', 'length'] }],
    [{ input_tokens: 0, 'request.attempt': 0, ok: false, empty: '' }, { 'gen_ai.usage.input_tokens': 0, 'request.attempt': 0, ok: false, empty: '' }],
    [{}, {}],
  ])('writes %j by the conventions as %j', (fields, expected) => {
    expect(toAttributes('semconv', fields)).toEqual(expected);
  });

  it('keeps the query in uri when Dynamo\'s names are asked for', () => {
    expect(toAttributes('dynamo', { uri: '/a?b=1' })).toEqual({ uri: '/a?b=1' });
    expect(toAttributes('both', { uri: '/a?b=1' })).toEqual({ uri: '/a?b=1', 'url.path': '/a', 'url.query': 'b=1' });
  });

  it('knows three sets and gives each field a semantic name of its own', () => {
    expect(ATTRIBUTE_SETS).toEqual(['both', 'dynamo', 'semconv']);
    const names = Object.values(SEMANTIC_NAMES);
    expect(new Set(names).size).toBe(names.length);
  });
});
