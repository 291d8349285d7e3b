import { describe, expect, test } from '@jest/globals';
import { DIALECTS } from '../../../src/middleware/dialects/index.js';
import { observe } from '../observation/observe.js';
import { ANTHROPIC_CASES, CHAT_CASES, OTHER_OPENAI_CASES, RESPONSES_CASES, type Case } from './cases.js';

describe.each([
  ['chat completions', CHAT_CASES],
  ["OpenAI's other endpoints", OTHER_OPENAI_CASES],
  ['responses', RESPONSES_CASES],
  ['Anthropic messages', ANTHROPIC_CASES],
])('%s', (_name, cases) => {
  test.each(cases.map((one): [string, Case] => [one.title, one]))('%s', (_title, one) => {
    expect(observe([one.body], one)).toMatchObject(one.facts);
  });
});

test('every dialect names an API and an endpoint of Dynamo', () => {
  expect(Object.entries(DIALECTS).map(([name, { api, endpoint }]) => [name, api, endpoint])).toEqual([
    ['openai-chat', 'openai', 'chat_completions'],
    ['openai-completions', 'openai', 'completions'],
    ['openai-embeddings', 'openai', 'embeddings'],
    ['openai-responses', 'openai', 'responses'],
    ['anthropic-messages', 'anthropic', 'anthropic_messages'],
    ['anthropic-count-tokens', 'anthropic', 'anthropic_messages'],
    ['generic', 'openai', 'unknown'],
  ]);
});
