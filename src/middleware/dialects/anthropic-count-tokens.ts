import type { Dialect } from './dialect.js';

/** POST /v1/messages/count_tokens: the count stands at the top of the answer, and is that of a prompt which no model has read. */
export const anthropicCountTokens: Dialect = {
  api: 'anthropic',
  operation: 'count_tokens',
  provider: 'anthropic',
  body: { error: 'error', message: 'message', detail: 'detail' },
  usage: { input: [], output: [], cached: [] },
};
