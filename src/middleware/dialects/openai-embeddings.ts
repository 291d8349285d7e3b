import type { Dialect } from './dialect.js';
import { OPENAI_ERROR, OPENAI_HEAD, OPENAI_USAGE } from './shapes.js';

/** POST /v1/embeddings: never a stream, so no time to first token. */
export const openaiEmbeddings: Dialect = {
  api: 'openai',
  operation: 'embeddings',
  provider: 'openai',
  body: { ...OPENAI_HEAD, ...OPENAI_ERROR },
  usage: OPENAI_USAGE,
};
