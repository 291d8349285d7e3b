import type { Dialect, Shape } from './dialect.js';
import { OPENAI_ERROR } from './shapes.js';

/** What `messageMetadata` of the AI SDK's documentation returns: usage and the model are there only when an app puts them there. */
const metadata: Shape = { usage: 'usage', totalUsage: 'usage', model: 'model' };

/**
 * Routes that answer with the Vercel AI SDK (5 to 7): UI message streams, text streams, and JSON of `generateText`. A tool's input
 * counts by its deltas; `tool-input-available` repeats it whole.
 */
export const aiSdk: Dialect = {
  api: 'openai',
  operation: 'chat',
  provider: 'openai',
  body: { ...OPENAI_ERROR, id: 'id', model: 'model', finishReason: 'finish', usage: 'usage', totalUsage: 'usage' },
  usage: {
    input: [['inputTokens']],
    output: [['outputTokens']],
    cached: [['inputTokenDetails', 'cacheReadTokens'], ['cachedInputTokens']],
  },
  stream: {
    kind: 'typed',
    shape: { type: 'type', messageId: 'id', finishReason: 'finish', messageMetadata: metadata, errorText: 'message' },
    events: {
      'text-delta': 'content', 'reasoning-delta': 'content', 'tool-input-delta': 'content',
      start: 'read', 'message-metadata': 'read', finish: 'read', error: 'read',
    },
    content: ['delta', 'inputTextDelta'],
  },
  text: true,
};
