import { setTimeout } from 'node:timers/promises';
import { booleanOption, numberOption, optionalOption, readOptions } from '../../internal/index.js';
import type { EndpointHandler, RequestContext } from '../../transport/index.js';

/** Options of {@link mockEngine}. */
export interface MockEngineOptions {
  /** How many tokens it makes, or the tokens themselves. Default: the request's `max_tokens`, else 16. */
  readonly tokens?: number | readonly string[] | undefined;
  /** Speed after the first token; 0 is as fast as it goes. Default 0. */
  readonly tokensPerSecond?: number | undefined;
  /** Milliseconds to the first token. Default 0. */
  readonly firstTokenMs?: number | undefined;
  /** Ends with an item of finish reason and token counts. Default true. */
  readonly usage?: boolean | undefined;
}

/** What a mock engine reads of a request; anything else is ignored. */
export interface MockEngineRequest {
  readonly prompt?: string;
  readonly max_tokens?: number;
  /** From a prefill worker. */
  readonly prefill?: { readonly input_tokens: number };
}

/** What it yields: a token each, at the end how it went. */
export type MockEngineItem = { readonly token: string } | { readonly finish_reason: 'stop' | 'length'; readonly input_tokens: number; readonly output_tokens: number };

const SPEC = {
  tokens: optionalOption<number | readonly string[]>('a number or an array of texts', (value) => (typeof value === 'number' && Number.isInteger(value) && value >= 0) || Array.isArray(value)),
  tokensPerSecond: numberOption(0, { fraction: true }),
  firstTokenMs: numberOption(0, { fraction: true }),
  usage: booleanOption(true),
};

const DEFAULT_TOKENS = 16;

/**
 * A worker's script that behaves as an engine does: tokens at a speed, usage at the end, an early end when the request is
 * cancelled. Input tokens are the words of the prompt.
 * @throws ERR_OPTION_INVALID
 */
export function mockEngine(options?: MockEngineOptions): EndpointHandler<MockEngineRequest, MockEngineItem> {
  const { tokens, tokensPerSecond, firstTokenMs, usage } = readOptions('mockEngine', SPEC, options);
  return async function * (request, context) {
    const texts = typeof tokens === 'object' ? tokens : Array.from({ length: tokens ?? wanted(request) }, (_, index) => `token${index} `);
    let made = 0;
    for (const token of texts) {
      const pause = made === 0 ? firstTokenMs : tokensPerSecond === 0 ? 0 : 1000 / tokensPerSecond;
      if (pause > 0) await sleep(pause, context);
      if (context.stopped) break;
      made += 1;
      yield { token };
    }
    if (usage && !context.killed) yield { finish_reason: made < wanted(request) ? 'stop' : 'length', input_tokens: inputTokens(request), output_tokens: made };
  };
}

/** What a mock prefill worker leaves for the decode worker. */
export interface MockPrefillResult {
  readonly worker_id: string;
  readonly input_tokens: number;
}

/** A prefill worker's script: reads the prompt for `firstTokenMs` and leaves one item for the decode worker. @throws ERR_OPTION_INVALID */
export function mockPrefill(options?: { readonly firstTokenMs?: number | undefined }): EndpointHandler<MockEngineRequest, MockPrefillResult> {
  const { firstTokenMs } = readOptions('mockPrefill', { firstTokenMs: SPEC.firstTokenMs }, options);
  return async function * (request, context) {
    if (firstTokenMs > 0) await sleep(firstTokenMs, context);
    if (!context.stopped) yield { worker_id: context.instanceId.toString(), input_tokens: inputTokens(request) };
  };
}

function wanted(request: MockEngineRequest | undefined): number {
  return typeof request?.max_tokens === 'number' ? request.max_tokens : DEFAULT_TOKENS;
}

function inputTokens(request: MockEngineRequest | undefined): number {
  if (request?.prefill !== undefined) return request.prefill.input_tokens;
  return (request?.prompt ?? '').split(/\s+/).filter((word) => word !== '').length;
}

/** Real time, whatever a test has done to its clock; over at once when the request is cancelled. */
async function sleep(ms: number, { signal }: RequestContext): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => undefined);
}
