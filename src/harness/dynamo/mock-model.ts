import type { EndpointHandler } from '../../transport/index.js';
import { mockEngine, type MockEngineItem, type MockEngineOptions } from '../worker/index.js';

/** Options of {@link mockModel}: those of {@link mockEngine}. */
export type MockModelOptions = MockEngineOptions;

/** What is read of a request that Dynamo's frontend sends to a worker that takes text: the client's own. */
interface OpenAiRequest {
  readonly model?: string;
  readonly messages?: readonly { readonly content?: unknown }[];
  readonly prompt?: unknown;
  readonly input?: unknown;
  readonly max_tokens?: number;
  readonly max_completion_tokens?: number;
}

/**
 * A worker's script that answers as a model behind Dynamo's frontend does: chunks of OpenAI's chat completions, completions, or
 * embeddings, whichever was asked for. Speed, tokens and failures are those of {@link mockEngine}.
 * @throws ERR_OPTION_INVALID
 */
export function mockModel(options?: MockModelOptions): EndpointHandler<OpenAiRequest> {
  const engine = mockEngine(options);
  return async function * (request, context) {
    const { model = '', messages, prompt, input, max_tokens: tokens, max_completion_tokens: most } = request;
    if (messages === undefined && prompt === undefined && input !== undefined) {
      yield embeddings(model, input);
      return;
    }
    const wanted = tokens ?? most;
    const asked = { prompt: messages === undefined ? textOf(prompt) : messages.map(({ content }) => textOf(content)).join(' '), ...(wanted === undefined ? {} : { max_tokens: wanted }) };
    const head = { id: `${messages === undefined ? 'cmpl' : 'chatcmpl'}-${context.requestId}`, object: messages === undefined ? 'text_completion' : 'chat.completion.chunk', created: Math.floor(Date.now() / 1000), model };
    const items = await engine(asked, context) as AsyncIterable<MockEngineItem>;
    for await (const item of items) yield { ...head, ...(messages === undefined ? textChunk(item) : chatChunk(item)) };
  };
}

function chatChunk(item: MockEngineItem): object {
  if ('token' in item) return { choices: [{ index: 0, delta: { role: 'assistant', content: item.token }, finish_reason: null }] };
  return { choices: [{ index: 0, delta: {}, finish_reason: item.finish_reason }], usage: usageOf(item) };
}

function textChunk(item: MockEngineItem): object {
  if ('token' in item) return { choices: [{ index: 0, text: item.token, finish_reason: null, logprobs: null }] };
  return { choices: [{ index: 0, text: '', finish_reason: item.finish_reason, logprobs: null }], usage: usageOf(item) };
}

function usageOf(item: Exclude<MockEngineItem, { token: string }>): object {
  return { prompt_tokens: item.input_tokens, completion_tokens: item.output_tokens, total_tokens: item.input_tokens + item.output_tokens };
}

function embeddings(model: string, input: unknown): object {
  const texts = Array.isArray(input) ? input : [input];
  return { object: 'list', model, data: texts.map((_, index) => ({ object: 'embedding', index, embedding: [0.1, 0.2, 0.3] })), usage: { prompt_tokens: texts.length, total_tokens: texts.length } };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '');
}
