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
