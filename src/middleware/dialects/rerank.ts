import type { Dialect } from './dialect.js';
import { OPENAI_ERROR, OPENAI_HEAD } from './shapes.js';

/** POST /v1/rerank and /v2/rerank: Cohere's API (`meta.tokens`), with `usage` in vLLM, SGLang and Jina. Nothing is generated: all tokens are input. */
export const rerank: Dialect = {
  api: 'openai',
  operation: 'rerank',
  provider: 'cohere',
  body: { ...OPENAI_HEAD, ...OPENAI_ERROR, meta: { tokens: 'usage' } },
  usage: { input: [['prompt_tokens'], ['input_tokens'], ['total_tokens']], output: [], cached: [] },
};
