import type { Dialect } from './dialect.js';

/**
 * POST /v1/messages. `message_start` counts the prompt (its output count is only a beginning), `message_delta` the output; Dynamo
 * counts both in every `content_block_delta` too. `input_tokens` leaves out what was read from the cache and written to it: the
 * whole prompt is the sum, as Dynamo and OpenTelemetry's conventions count it.
 */
export const anthropicMessages: Dialect = {
  api: 'anthropic',
  operation: 'chat',
  provider: 'anthropic',
  body: { id: 'id', model: 'model', stop_reason: 'finish', usage: 'usage', error: 'error', message: 'message', detail: 'detail' },
  usage: {
    input: [['input_tokens']],
    inputBeside: [['cache_read_input_tokens'], ['cache_creation_input_tokens']],
    output: [['output_tokens']],
    cached: [['cache_read_input_tokens']],
  },
  stream: {
    kind: 'typed',
    shape: { type: 'type', message: { id: 'id', model: 'model', usage: 'promptUsage' }, delta: { stop_reason: 'finish' }, usage: 'usage', error: 'error' },
    events: { content_block_delta: 'content', message_start: 'read', message_delta: 'read', error: 'read' },
    content: ['text', 'thinking', 'partial_json'],
  },
};
