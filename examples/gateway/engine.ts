import { setTimeout as delay } from 'node:timers/promises';
import type { RequestContext } from 'dynamo-tracing/transport';

/** What the gateway asks a worker. */
export interface EngineRequest {
  readonly model: string;
  readonly prompt: string;
  readonly max_tokens: number;
  /** What the prefill worker left for the decode worker. */
  readonly prefill?: PrefillResult;
}

export interface PrefillResult {
  readonly worker_id: string;
  readonly input_tokens: number;
}

/** What a worker answers, one item a token and one at the end. */
export type EngineItem = { readonly token: string } | { readonly finish_reason: 'stop' | 'length'; readonly input_tokens: number; readonly output_tokens: number };

/** A message of OpenAI's chat API. */
export interface ChatMessage {
  readonly role: string;
  readonly content: unknown;
}

/** What the gateway asks a worker that takes OpenAI's requests: one whose model card says `model_input: "Text"`. */
export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly max_tokens: number;
  readonly stream: true;
  readonly stream_options: { readonly include_usage: true };
}

/** What such a worker answers. */
export interface ChatChunk {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null }; readonly finish_reason?: string | null }[];
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number } | null;
}

/** Tokens of the mock tokeniser: words between white space. */
export function countTokens(text: string): number {
  return text.split(/\s+/).filter((word) => word !== '').length;
}

/** A mock engine: exactly `max_tokens` tokens, one every `tokenDelayMs`; it stops when the request is cancelled. */
export function mockEngine(tokenDelayMs: number) {
  return async function * generate(request: EngineRequest, { signal, log }: RequestContext): AsyncGenerator<EngineItem> {
    let made = 0;
    try {
      while (made < request.max_tokens && !signal.aborted) {
        if (tokenDelayMs > 0) await delay(tokenDelayMs, undefined, { signal }).catch(() => undefined);
        yield { token: made === 0 ? 'token0' : ` token${made}` };
        made += 1;
      }
      if (!signal.aborted) yield { finish_reason: 'length', input_tokens: request.prefill?.input_tokens ?? countTokens(request.prompt), output_tokens: made };
    } finally {
      log.debug({ tokens: made }, 'engine stopped');
    }
  };
}

/** A mock prefill worker: reads the prompt and says which worker holds it. */
export async function * mockPrefill(request: EngineRequest, { instanceId }: RequestContext): AsyncGenerator<PrefillResult> {
  yield await Promise.resolve({ worker_id: instanceId.toString(), input_tokens: countTokens(request.prompt) });
}
