import { event, maxTokens, textOf, textOfMessages, type AnswerIds, type Api, type Finish } from './api.js';
import type { ChatMessage } from '../engine.js';

const stopReason = ({ reason }: Finish): string => (reason === 'length' ? 'max_tokens' : 'end_turn');

function message({ requestId, model }: AnswerIds, content: unknown[], fields: Record<string, unknown>): Record<string, unknown> {
  return { id: `msg_${requestId}`, type: 'message', role: 'assistant', model, content, stop_sequence: null, ...fields };
}

/** Anthropic messages. */
export const messages: Api = {
  path: '/v1/messages',
  prompt: (body) => ({ prompt: `${textOf(body['system'])} ${textOfMessages(body['messages'])}`, max_tokens: maxTokens(body, 'max_tokens') }),
  chat: (body) => [...(body['system'] === undefined ? [] : [{ role: 'system', content: textOf(body['system']) }]), ...body['messages'] as ChatMessage[]],
  answer: (ids, text, finish) => message(ids, [{ type: 'text', text }], { stop_reason: stopReason(finish), usage: { input_tokens: finish.inputTokens, output_tokens: finish.outputTokens } }),
  stream: (ids) => {
    const emit = (type: string, fields: Record<string, unknown> = {}): string => event({ type, ...fields }, type);
    return {
      begin: () => emit('message_start', { message: message(ids, [], { stop_reason: null, usage: { input_tokens: 0, output_tokens: 0 } }) })
        + emit('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
      token: (text) => emit('content_block_delta', { index: 0, delta: { type: 'text_delta', text } }),
      end: (finish) => emit('content_block_stop', { index: 0 })
        + emit('message_delta', { delta: { stop_reason: stopReason(finish), stop_sequence: null }, usage: { input_tokens: finish.inputTokens, output_tokens: finish.outputTokens } })
        + emit('message_stop'),
    };
  },
};
