import { describe, expect, test } from '@jest/globals';
import { recordsOf, spansOf } from '../../src/harness/otlp/convert.js';

const span = (fields: object): object => ({ resourceSpans: [{ scopeSpans: [{ spans: [fields] }] }] });
const deep = (levels: number): object => (levels === 0 ? {} : JSON.parse(`${'{"arrayValue":{"values":['.repeat(levels)}${']}}'.repeat(levels)}`) as object);

describe('JSON that is no OTLP is refused with an error of the package', () => {
  test.each<[string, unknown]>([
    ['null', null],
    ['spans that are no array', { resourceSpans: [{ scopeSpans: [{ spans: 'x' }] }] }],
    ['a resource that is null', { resourceSpans: [null] }],
    ['a trace id that is a number', span({ traceId: 1 })],
    ['a time that is no number', span({ startTimeUnixNano: 'now' })],
    ['an integer that is none', span({ attributes: [{ key: 'a', value: { intValue: '1.5e400' } }] })],
    ['values in values beyond any depth', span({ attributes: [{ key: 'a', value: deep(20_000) }] })],
  ])('traces: %s', (_title, request) => {
    expect(() => spansOf(request as never)).toThrow(expect.objectContaining({ name: 'DynamoTracingError', code: 'ERR_MESSAGE_INVALID' }));
  });

  test.each<[string, unknown]>([
    ['null', null],
    ['resources that are a number', { resourceLogs: 1 }],
    ['attributes that are no array', { resourceLogs: [{ scopeLogs: [{ logRecords: [{ attributes: {} }] }] }] }],
  ])('logs: %s', (_title, request) => {
    expect(() => recordsOf(request as never)).toThrow(expect.objectContaining({ name: 'DynamoTracingError', code: 'ERR_MESSAGE_INVALID' }));
  });

  test('what is missing or null is left out', () => {
    expect([spansOf({}), recordsOf({}), spansOf({ resourceSpans: null } as never)]).toEqual([[], [], []]);
  });
});
