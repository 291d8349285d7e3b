import { describe, expect, test } from '@jest/globals';
import { DIALECTS, type Dialect } from '../../../src/middleware/dialects/index.js';
import { observe } from '../observation/observe.js';
import { AI_SDK_CASES, ANTHROPIC_CASES, AUDIO_CASES, CHAT_CASES, LINE_CASES, OTHER_OPENAI_CASES, RERANK_CASES, RESPONSES_CASES, type Case } from './cases.js';

describe.each([
  ['chat completions', CHAT_CASES],
  ["OpenAI's other endpoints", OTHER_OPENAI_CASES],
  ['responses', RESPONSES_CASES],
  ['Anthropic messages', ANTHROPIC_CASES],
  ['transcriptions and translations', AUDIO_CASES],
  ['rerank', RERANK_CASES],
  ['the AI SDK', AI_SDK_CASES],
  ['lines of JSON', LINE_CASES],
])('%s', (_name, cases) => {
  test.each(cases.map((one): [string, Case] => [one.title, one]))('%s', (_title, one) => {
    expect(observe([one.body], one)).toMatchObject(one.facts);
  });
});

/** Values of OpenTelemetry's conventions (@opentelemetry/semantic-conventions 1.45.0, incubating), and `rerank` and `count_tokens`, which they have no value for. */
test('every dialect names the API of its errors, and operation and provider by the conventions', () => {
  expect(Object.entries<Dialect>(DIALECTS).map(([name, { api, operation, provider }]) => [name, api, operation, provider])).toEqual([
    ['openai-chat', 'openai', 'chat', 'openai'],
    ['openai-completions', 'openai', 'text_completion', 'openai'],
    ['openai-embeddings', 'openai', 'embeddings', 'openai'],
    ['openai-responses', 'openai', 'chat', 'openai'],
    ['openai-transcriptions', 'openai', 'generate_content', 'openai'],
    ['anthropic-messages', 'anthropic', 'chat', 'anthropic'],
    ['anthropic-count-tokens', 'anthropic', 'count_tokens', 'anthropic'],
    ['rerank', 'openai', 'rerank', 'cohere'],
    ['ai-sdk', 'openai', 'chat', 'openai'],
    ['text-stream', 'openai', 'text_completion', 'openai'],
    ['generic', 'openai', undefined, 'openai'],
  ]);
});
