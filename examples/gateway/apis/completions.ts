import { BadRequest, event, maxTokens, unixSeconds, type AnswerIds, type Api } from './api.js';
import { openaiUsage } from './openai-usage.js';

function completion({ requestId, model }: AnswerIds, fields: Record<string, unknown>): Record<string, unknown> {
  return { id: `cmpl-${requestId}`, object: 'text_completion', created: unixSeconds(), model, ...fields };
}

const choice = (text: string, finishReason: string | null): Record<string, unknown> => ({ choices: [{ index: 0, text, logprobs: null, finish_reason: finishReason }] });

/** OpenAI completions. */
export const completions: Api = {
  path: '/v1/completions',
  prompt: (body) => {
    const prompt = Array.isArray(body['prompt']) ? body['prompt'].join(' ') : body['prompt'];
    if (typeof prompt !== 'string') throw new BadRequest('Validation: prompt must be a string or an array of strings');
    return { prompt, max_tokens: maxTokens(body, 'max_tokens') };
  },
  chat: (body) => [{ role: 'user', content: [body['prompt']].flat().join(' ') }],
  answer: (ids, text, finish) => completion(ids, { ...choice(text, finish.reason), usage: openaiUsage(finish) }),
  stream: (ids) => ({
    begin: () => '',
    token: (text) => event(completion(ids, choice(text, null))),
    end: (finish) => event(completion(ids, choice('', finish.reason))) + event(completion(ids, { choices: [], usage: openaiUsage(finish) })) + event('[DONE]'),
  }),
};
