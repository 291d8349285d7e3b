import type { Shape, UsagePaths } from './dialect.js';

/** Error bodies of OpenAI's API, nested; of Dynamo and older vLLM, flat; of FastAPI's own checks (`detail`). */
export const OPENAI_ERROR: Shape = { error: 'error', object: 'object', message: 'message', type: 'errorType', code: 'code', detail: 'detail' };

/** The worker ids that Dynamo adds to an answer when a request asks for them. */
export const DYNAMO_WORKERS: Shape = { nvext: { worker_id: { prefill_worker_id: 'prefillWorker', decode_worker_id: 'decodeWorker' } } };

/** What every answer of OpenAI's older endpoints begins with. */
export const OPENAI_HEAD: Shape = { id: 'id', model: 'model', usage: 'usage', ...DYNAMO_WORKERS };

/** Token counts of chat completions, completions and embeddings. */
export const OPENAI_USAGE: UsagePaths = {
  input: [['prompt_tokens']],
  output: [['completion_tokens']],
  cached: [['prompt_tokens_details', 'cached_tokens']],
};
