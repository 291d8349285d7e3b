import type { Dialect } from './dialect.js';
import { OPENAI_ERROR, OPENAI_HEAD, OPENAI_USAGE } from './shapes.js';

/** Routes that answer with the bare text of a completion, in pieces. */
export const textStream: Dialect = {
  api: 'openai',
  operation: 'text_completion',
  provider: 'openai',
  body: { ...OPENAI_HEAD, ...OPENAI_ERROR },
  usage: OPENAI_USAGE,
  text: true,
};
