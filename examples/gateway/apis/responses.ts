import { BadRequest, event, maxTokens, textOfMessages, unixSeconds, type AnswerIds, type Api, type Finish } from './api.js';
import type { ChatMessage } from '../engine.js';

function response({ requestId, model }: AnswerIds, status: string, output: unknown[], finish?: Finish): Record<string, unknown> {
  const usage = finish === undefined ? null : {
    input_tokens: finish.inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: finish.outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: finish.inputTokens + finish.outputTokens,
  };
  return { id: `resp_${requestId}`, object: 'response', created_at: unixSeconds(), model, status, error: null, incomplete_details: null, output, usage };
}

function message({ requestId }: AnswerIds, text: string, status: string): Record<string, unknown> {
  return { type: 'message', id: `msg_${requestId}`, role: 'assistant', status, content: text === '' ? [] : [{ type: 'output_text', text, annotations: [] }] };
}

/** OpenAI responses. */
export const responses: Api = {
  path: '/v1/responses',
  prompt: (body) => {
    const { input } = body;
    if (typeof input !== 'string' && !Array.isArray(input)) throw new BadRequest('Validation: input must be a string or an array of messages');
    return { prompt: typeof input === 'string' ? input : textOfMessages(input, 'input'), max_tokens: maxTokens(body, 'max_output_tokens') };
  },
  chat: ({ input }) => (typeof input === 'string' ? [{ role: 'user', content: input }] : input as ChatMessage[]),
  answer: (ids, text, finish) => response(ids, 'completed', [message(ids, text, 'completed')], finish),
  stream: (ids) => {
    let sequence = 0;
    let text = '';
    const emit = (type: string, fields: Record<string, unknown>): string => event({ type, sequence_number: sequence++, ...fields }, type);
    const place = { output_index: 0, content_index: 0, item_id: `msg_${ids.requestId}` };
    return {
      begin: () => emit('response.created', { response: response(ids, 'in_progress', []) })
        + emit('response.output_item.added', { output_index: 0, item: message(ids, '', 'in_progress') })
        + emit('response.content_part.added', { ...place, part: { type: 'output_text', text: '', annotations: [] } }),
      token: (delta) => {
        text += delta;
        return emit('response.output_text.delta', { ...place, delta });
      },
      end: (finish) => emit('response.output_text.done', { ...place, text })
        + emit('response.content_part.done', { ...place, part: { type: 'output_text', text, annotations: [] } })
        + emit('response.output_item.done', { output_index: 0, item: message(ids, text, 'completed') })
        + emit('response.completed', { response: response(ids, 'completed', [message(ids, text, 'completed')], finish) }),
    };
  },
};
