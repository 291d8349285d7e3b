import { BadRequest, type Api } from './api.js';

const DIMENSIONS = 8;

/** OpenAI embeddings: a small vector that depends on the text alone. */
export const embeddings: Api = {
  path: '/v1/embeddings',
  prompt: (body) => {
    const input = Array.isArray(body['input']) ? body['input'].join(' ') : body['input'];
    if (typeof input !== 'string') throw new BadRequest('Validation: input must be a string or an array of strings');
    return { prompt: input, max_tokens: 1 };
  },
  answer: ({ requestId, model }, text, { inputTokens }) => ({
    object: 'list',
    id: `embd-${requestId}`,
    model,
    data: [{ object: 'embedding', index: 0, embedding: Array.from({ length: DIMENSIONS }, (_, i) => Math.sin(text.length + i)) }],
    usage: { prompt_tokens: inputTokens, total_tokens: inputTokens },
  }),
};
