import type { Dialect } from './dialect.js';
import { OPENAI_ERROR, OPENAI_HEAD } from './shapes.js';

/**
 * POST /v1/audio/transcriptions and /v1/audio/translations. OpenAI's stream has types; vLLM's is made of chunks as those of chat
 * completions, with usage only when asked for. Usage by seconds of audio counts no tokens.
 */
export const openaiTranscriptions: Dialect = {
  api: 'openai',
  operation: 'generate_content',
  provider: 'openai',
  body: { ...OPENAI_HEAD, ...OPENAI_ERROR },
  usage: { input: [['input_tokens'], ['prompt_tokens']], output: [['output_tokens'], ['completion_tokens']], cached: [] },
  stream: {
    kind: 'typed',
    shape: { ...OPENAI_HEAD, ...OPENAI_ERROR, type: 'type', choices: [{ index: 'index', finish_reason: 'finish' }] },
    events: { 'transcript.text.delta': 'content', 'transcript.text.done': 'read', error: 'read' },
    content: ['delta'],
    untyped: { kind: 'chunks', anchor: 'delta', content: ['content'], finish: 'finish_reason' },
  },
};
