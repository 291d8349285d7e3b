import type { Dialect, Shape } from './dialect.js';
import { OPENAI_ERROR, OPENAI_HEAD, OPENAI_USAGE } from './shapes.js';

const shape: Shape = { ...OPENAI_HEAD, ...OPENAI_ERROR, choices: [{ index: 'index', finish_reason: 'finish' }] };

/** POST /v1/chat/completions. Engines name reasoning differently: `reasoning_content` (Dynamo, SGLang, DeepSeek), `reasoning` (vLLM, OpenRouter). */
export const openaiChat: Dialect = {
  api: 'openai',
  operation: 'chat',
  provider: 'openai',
  body: shape,
  usage: OPENAI_USAGE,
  stream: {
    kind: 'chunks',
    shape,
    anchor: 'delta',
    content: ['content', 'reasoning_content', 'reasoning', 'tool_calls', 'refusal', 'function_call', 'audio'],
    finish: 'finish_reason',
  },
};
