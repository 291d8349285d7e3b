import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Shape } from '../../../src/middleware/dialects/index.js';
import { pickJson } from '../../../src/middleware/observation/pick-json.js';

const SHAPE: Shape = { id: 'id', usage: 'usage', choices: [{ finish_reason: 'finish', index: 'index' }], response: { model: 'model' } };

/** Whole numbers that a number cannot hold are picked as text. */
function exact(value: unknown): unknown {
  return typeof value === 'number' && !Number.isSafeInteger(value) && /^\d{16,20}$/.test(String(value)) ? String(value) : value;
}

/** What the shape names, by JSON.parse. */
function reference(json: string): Record<string, unknown> {
  const { id, usage, choices, response } = JSON.parse(json) as { id?: unknown; usage?: unknown; choices?: unknown; response?: { model?: unknown } | null };
  const list = (Array.isArray(choices) ? choices : []).filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null && !Array.isArray(one));
  const first = (key: string): unknown => list.map((one) => one[key]).find((value) => value !== undefined && value !== null);
  const model = typeof response === 'object' && !Array.isArray(response) ? response?.model : undefined;
  return Object.fromEntries(Object.entries({ id, usage, finish: first('finish_reason'), index: first('index'), model }).filter(([, value]) => value !== undefined && value !== null).map(([key, value]) => [key, exact(value)]));
}

const value = fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })), fc.array(fc.array(fc.integer())), fc.constantFrom('"', '\\', '\\"', '{"id":1}', '☃'));
const choice = fc.oneof(fc.record({ finish_reason: fc.oneof(fc.string(), fc.constant(null)), index: fc.nat(3), message: value }, { requiredKeys: [] }), value);
const body = fc.record({ before: value, id: value, nested: fc.record({ id: value, usage: value }), choices: fc.oneof(fc.array(choice), value), usage: value, response: fc.oneof(fc.record({ x: value, model: value }), value), after: value }, { requiredKeys: [] });

test('what is picked is what JSON.parse finds, in any JSON, as text and as bytes', () => {
  fc.assert(fc.property(body, fc.constantFrom(undefined, 1, '\t'), (object, indent) => {
    const json = JSON.stringify(object, null, indent);
    const expected = reference(json);
    expect(pickJson(json, SHAPE, false)).toEqual(expected);
    expect(pickJson(Buffer.from(json).toString('latin1'), SHAPE, true)).toEqual(expected);
  }), { numRuns: 500 });
});

test.each(['', '{', '{"', '{"id', '{"id"', '{"id":', '{"id":"', '{"id":"a', '{"id":1', '[]', '"id"', 'null', '{,}', '{"id"::1}', '{id:1}', '{"x":]}', '{"choices":[{]}', '{"x":[1,2', '{"x":[1,[2', '\u0000', '{"id":tru}'])('broken text gives nothing: %j', (text) => {
  expect(pickJson(text, SHAPE, false)).toEqual({});
});

test('what stands before the break is kept', () => {
  expect(pickJson('{"id":"a","x":{"y":[1,2,{"z":"', SHAPE, false)).toEqual({ id: 'a' });
});

test('deep nesting and many arrays take neither stack nor time', () => {
  expect(pickJson(`{"x":${'['.repeat(200_000)}${']'.repeat(200_000)},"id":"a"}`, SHAPE, false)).toEqual({ id: 'a' });
  expect(pickJson(`{"x":${'[1,'.repeat(300_000)}`, SHAPE, false)).toEqual({});
  expect(pickJson(`{"x":[${'[1],'.repeat(300_000)}[2]],"id":"a"}`, SHAPE, false)).toEqual({ id: 'a' });
});
