import type { Finish } from './api.js';

/** Token counts as OpenAI's chat and completions APIs write them. */
export function openaiUsage({ inputTokens, outputTokens }: Finish): Record<string, number> {
  return { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: inputTokens + outputTokens };
}
