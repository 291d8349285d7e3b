import type { RequestContext } from 'dynamo-tracing/transport';
import { countTokens, mockEngine, type EngineItem } from './engine.js';

/** What Dynamo's frontend sends to a worker that takes text: the client's own request. */
export interface OpenAiRequest {
  readonly model: string;
  readonly messages?: readonly { readonly content?: unknown }[];
  readonly prompt?: unknown;
  readonly input?: unknown;
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
}

const DEFAULT_TOKENS = 16;

/** The mock engine as a model of Dynamo's frontend: chat, completions and embeddings, in OpenAI's own shapes. */
export function openAiEngine(tokenDelayMs: number) {
  const engine = mockEngine(tokenDelayMs);
  return async function * generate(request: OpenAiRequest, context: RequestContext): AsyncGenerator<object> {
    const { model, messages, prompt, input } = request;
    if (messages === undefined && prompt === undefined) {
      yield embeddings(model, input);
      return;
    }
    const asked = { model, prompt: messages === undefined ? textOf(prompt) : messages.map(({ content }) => textOf(content)).join('\n'), max_tokens: request.max_tokens ?? request.max_completion_tokens ?? DEFAULT_TOKENS };
    const head = { id: `${messages === undefined ? 'cmpl' : 'chatcmpl'}-${context.requestId}`, object: messages === undefined ? 'text_completion' : 'chat.completion.chunk', created: Math.floor(Date.now() / 1000), model };
    for await (const item of engine(asked, context)) yield { ...head, ...(messages === undefined ? textChunk(item) : chatChunk(item)) };
  };
}

function chatChunk(item: EngineItem): object {
  if ('token' in item) return { choices: [{ index: 0, delta: { role: 'assistant', content: item.token }, finish_reason: null }] };
  return { choices: [{ index: 0, delta: {}, finish_reason: item.finish_reason }], usage: usageOf(item) };
}

function textChunk(item: EngineItem): object {
  if ('token' in item) return { choices: [{ index: 0, text: item.token, finish_reason: null, logprobs: null }] };
  return { choices: [{ index: 0, text: '', finish_reason: item.finish_reason, logprobs: null }], usage: usageOf(item) };
}

function usageOf({ input_tokens: prompt, output_tokens: completion }: Exclude<EngineItem, { token: string }>): object {
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}

/** A vector for each text: how many characters and tokens it has. */
function embeddings(model: string, input: unknown): object {
  const texts = (Array.isArray(input) ? (input as readonly unknown[]) : [input]).map(textOf);
  const tokens = texts.reduce((sum, text) => sum + countTokens(text), 0);
  return { object: 'list', model, data: texts.map((text, index) => ({ object: 'embedding', index, embedding: [text.length, countTokens(text)] })), usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '');
}
