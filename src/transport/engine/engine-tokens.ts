import { DynamoTracingError } from '../../errors/index.js';
import type { CompletionUsage, EngineFinishReason, LLMEngineOutput } from './protocol.js';
import { rejectionOf, workerError } from './rejection.js';

/** What one item of a worker's answer brought. */
export interface EngineChunk {
  /** New tokens. */
  readonly tokenIds: readonly number[];
  /** Their text, from engines that make texts. */
  readonly text: string | undefined;
  /** Which of `n` answers they belong to, from 0. */
  readonly index: number;
  /** With the last tokens of an answer. */
  readonly finishReason: EngineFinishReason | undefined;
  /** The item as it came: log probabilities and what an engine adds. */
  readonly output: LLMEngineOutput;
}

/** Token counts of an answer. */
export interface EngineUsage {
  /** By the engine's word; undefined when it does not tell. */
  readonly inputTokens: number | undefined;
  /** By the engine's word, else as many as came. */
  readonly outputTokens: number;
  /** Input tokens that the engine had in its cache; undefined when it does not tell. */
  readonly cachedTokens: number | undefined;
}

/** The tokens of an answer as they come, and what is known of it so far. Iterate once; leaving the loop early leaves the stream. */
export interface EngineTokens extends AsyncIterableIterator<EngineChunk, undefined, undefined> {
  /** Why generation ended: of several answers, the last that ended. Undefined before, and of an engine that does not tell. */
  readonly finishReason: EngineFinishReason | undefined;
  readonly usage: EngineUsage;
  /** Returns this stream: it can be read once. */
  [Symbol.asyncIterator](): EngineTokens;
}

/**
 * Reads a worker's answer to a `PreprocessedRequest`: `engineTokens(router.generate<LLMEngineOutput>(request, { engineErrors: true }))`.
 *
 * `next` throws what the stream throws; ERR_WORKER_ERROR (`errorType` 'backend_unknown', the engine's text as message) when the engine
 * tells a failure in place of a finish reason, which leaves the stream; ERR_MESSAGE_INVALID with `field` when an item is not an engine's
 * output, e.g. from a worker that takes text. With `engineErrors` the attempt's span and the router know of the failure too.
 */
export function engineTokens(stream: AsyncIterable<LLMEngineOutput>): EngineTokens {
  return new TokenReader(stream[Symbol.asyncIterator]());
}

class TokenReader implements EngineTokens {
  finishReason: EngineFinishReason | undefined;
  #counted = 0;
  #told: CompletionUsage | undefined;
  #ended = false;

  constructor(private readonly items: AsyncIterator<LLMEngineOutput>) {}

  get usage(): EngineUsage {
    return {
      inputTokens: this.#told?.prompt_tokens,
      outputTokens: this.#told?.completion_tokens ?? this.#counted,
      cachedTokens: this.#told?.prompt_tokens_details?.cached_tokens ?? undefined,
    };
  }

  async next(): Promise<IteratorResult<EngineChunk, undefined>> {
    if (this.#ended) return { done: true, value: undefined };
    const item = await this.items.next();
    if (item.done === true) return this.#end();
    try {
      return { done: false, value: this.#read(item.value) };
    } catch (error) {
      await this.return();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<EngineChunk, undefined>> {
    const done = this.#end();
    await this.items.return?.();
    return done;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #end(): IteratorResult<EngineChunk, undefined> {
    this.#ended = true;
    return { done: true, value: undefined };
  }

  #read(output: LLMEngineOutput): EngineChunk {
    const rejection = rejectionOf(output);
    if (rejection !== undefined) throw workerError(rejection);
    const { token_ids: tokenIds, text, index, finish_reason: reason, completion_usage: usage } = checked(output);
    this.#counted += tokenIds.length;
    this.#told = usage ?? this.#told;
    const finishReason = reason === 'abort' ? 'cancelled' : ((reason ?? undefined) as EngineFinishReason | undefined);
    this.finishReason = finishReason ?? this.finishReason;
    return { tokenIds, text: text ?? undefined, index: index ?? 0, finishReason, output };
  }
}

/** An item comes from another process, whatever its type says. */
function checked(output: LLMEngineOutput | undefined): LLMEngineOutput {
  const tokens: unknown = output?.token_ids;
  if (output === undefined || !Array.isArray(tokens) || !tokens.every(Number.isSafeInteger)) {
    throw new DynamoTracingError('ERR_MESSAGE_INVALID', 'an item is not the output of an engine: token_ids is not an array of integers', { field: 'token_ids' });
  }
  return output;
}
