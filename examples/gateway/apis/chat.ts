import { event, maxTokens, textOfMessages, unixSeconds, type AnswerIds, type Api, type Finish } from './api.js';
import type { ChatMessage } from '../engine.js';
import { openaiUsage } from './openai-usage.js';

function chunk({ requestId, model }: AnswerIds, fields: Record<string, unknown>): string {
  return event({ id: `chatcmpl-${requestId}`, object: 'chat.completion.chunk', created: unixSeconds(), model, ...fields });
}

const choice = (delta: Record<string, unknown>, finishReason: string | null = null): Record<string, unknown> => ({ choices: [{ index: 0, delta, finish_reason: finishReason }] });

/** OpenAI chat completions. */
export const chat: Api = {
  path: '/v1/chat/completions',
  prompt: (body) => ({ prompt: textOfMessages(body['messages']), max_tokens: maxTokens(body, 'max_completion_tokens', 'max_tokens') }),
  chat: (body) => body['messages'] as ChatMessage[],
  answer: ({ requestId, model }, text, finish: Finish) => ({
    id: `chatcmpl-${requestId}`,
    object: 'chat.completion',
    created: unixSeconds(),
    model,
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: finish.reason }],
    usage: openaiUsage(finish),
  }),
  stream: (ids) => ({
    begin: () => chunk(ids, choice({ role: 'assistant', content: '' })),
    token: (text) => chunk(ids, choice({ content: text })),
    end: (finish) => chunk(ids, choice({}, finish.reason)) + chunk(ids, { choices: [], usage: openaiUsage(finish) }) + event('[DONE]'),
  }),
};
