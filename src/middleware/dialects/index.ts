import { aiSdk } from './ai-sdk.js';
import { anthropicCountTokens } from './anthropic-count-tokens.js';
import { anthropicMessages } from './anthropic-messages.js';
import type { Dialect } from './dialect.js';
import { generic } from './generic.js';
import { openaiChat } from './openai-chat.js';
import { openaiCompletions } from './openai-completions.js';
import { openaiEmbeddings } from './openai-embeddings.js';
import { openaiResponses } from './openai-responses.js';
import { openaiTranscriptions } from './openai-transcriptions.js';
import { rerank } from './rerank.js';
import { textStream } from './text-stream.js';

/** Every API that is known. A new one is one file and one row here. */
export const DIALECTS = {
  'openai-chat': openaiChat,
  'openai-completions': openaiCompletions,
  'openai-embeddings': openaiEmbeddings,
  'openai-responses': openaiResponses,
  'openai-transcriptions': openaiTranscriptions,
  'anthropic-messages': anthropicMessages,
  'anthropic-count-tokens': anthropicCountTokens,
  rerank,
  'ai-sdk': aiSdk,
  'text-stream': textStream,
  generic,
} as const satisfies Record<string, Dialect>;

/** A name of docs/routes.md. */
export type DialectName = keyof typeof DIALECTS;

export type { Api, ChunkStream, Dialect, Field, Shape, TypedStream, UsagePaths } from './dialect.js';
