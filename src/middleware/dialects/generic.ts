import type { Dialect } from './dialect.js';
import { OPENAI_ERROR, OPENAI_HEAD } from './shapes.js';

/**
 * Routes whose content is not known here (classify, pooling, moderations, images, videos, speech, generate, an unknown path under /v1): ids,
 * errors and whatever usage they show, in either way of naming the counts.
 */
export const generic: Dialect = {
  api: 'openai',
  provider: 'openai',
  body: { ...OPENAI_HEAD, ...OPENAI_ERROR },
  usage: {
    input: [['prompt_tokens'], ['input_tokens']],
    output: [['completion_tokens'], ['output_tokens']],
    cached: [['prompt_tokens_details', 'cached_tokens'], ['input_tokens_details', 'cached_tokens']],
  },
};
