import type { Dialect, Shape } from './dialect.js';
import { OPENAI_ERROR, OPENAI_HEAD, OPENAI_USAGE } from './shapes.js';

const shape: Shape = { ...OPENAI_HEAD, ...OPENAI_ERROR, choices: [{ index: 'index', finish_reason: 'finish' }] };

/** POST /v1/completions. */
export const openaiCompletions: Dialect = {
  api: 'openai',
  operation: 'text_completion',
  provider: 'openai',
  body: shape,
  usage: OPENAI_USAGE,
  stream: { kind: 'chunks', shape, anchor: 'choices', content: ['text'], finish: 'finish_reason' },
};
