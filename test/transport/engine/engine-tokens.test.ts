import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { engineTokens, type EngineTokens, type LLMEngineOutput, type PreprocessedRequest } from 'dynamo-tracing/transport';
import { cleanUp, collect, failure, makeClient, serve } from '../support';

afterEach(cleanUp);

const REQUEST: PreprocessedRequest = { token_ids: [1, 2, 3], stop_conditions: { max_tokens: 2 } };
/** As the mocker writes it: everything it has not got is null. */
const whole = (fields: Partial<LLMEngineOutput>): LLMEngineOutput =>
  ({ token_ids: [], tokens: null, text: null, output_type: 'text', cum_log_probs: null, log_probs: null, top_logprobs: null, finish_reason: null, index: null, ...fields });
const usage = (output: number) => ({ completion_usage: { prompt_tokens: 3, completion_tokens: output, total_tokens: 3 + output, prompt_tokens_details: { audio_tokens: null, cached_tokens: 1 } } });

/** A worker that answers with these items, called over real sockets. */
async function ask(items: Iterable<unknown> | AsyncIterable<unknown>, codec: 'json' | 'msgpack' = 'json', onLeft = (): void => undefined): Promise<EngineTokens> {
  const worker = await serve<PreprocessedRequest, unknown>(async function * () {
    try {
      yield * items;
    } finally {
      onLeft();
    }
  });
  return engineTokens(makeClient().generate<LLMEngineOutput>(worker.address, REQUEST, { codec }));
}

/** Never ends by itself, and lets others run between its items. */
async function * endless(item: unknown): AsyncGenerator {
  for (;;) {
    yield item;
    await setImmediate();
  }
}

describe('engineTokens', () => {
  it.each(['json', 'msgpack'] as const)('yields tokens as they come, then the reason and the counts (%s)', async (codec) => {
    const tokens = await ask([whole({ token_ids: [7], text: 'a', ...usage(1) }), whole({ token_ids: [8, 2 ** 31], text: 'b' }), whole({ finish_reason: 'length', ...usage(3) })], codec);
    expect(tokens).toMatchObject({ finishReason: undefined, usage: { inputTokens: undefined, outputTokens: 0, cachedTokens: undefined } });
    const chunks = await collect(tokens);
    expect(chunks.map(({ output: _output, ...chunk }) => chunk)).toEqual([
      { tokenIds: [7], text: 'a', index: 0, finishReason: undefined },
      { tokenIds: [8, 2 ** 31], text: 'b', index: 0, finishReason: undefined },
      { tokenIds: [], text: undefined, index: 0, finishReason: 'length' },
    ]);
    expect(chunks[0]!.output).toEqual(whole({ token_ids: [7], text: 'a', ...usage(1) }));
    expect(tokens).toMatchObject({ finishReason: 'length', usage: { inputTokens: 3, outputTokens: 3, cachedTokens: 1 } });
    expect(await tokens.next()).toEqual({ done: true, value: undefined });
  });

  it('reads the short items of engines written in Python, counts what they do not, and knows which answer of several it is', async () => {
    const tokens = await ask([{ token_ids: [7] }, { token_ids: [8, 9], index: 1, finish_reason: 'stop' }, { token_ids: [], finish_reason: 'abort' }]);
    expect((await collect(tokens)).map(({ index, finishReason }) => [index, finishReason])).toEqual([[0, undefined], [1, 'stop'], [0, 'cancelled']]);
    expect(tokens).toMatchObject({ finishReason: 'cancelled', usage: { inputTokens: undefined, outputTokens: 3, cachedTokens: undefined } });
  });

  it.each<[unknown, string]>([
    [{ error: 'too long' }, 'too long'], ['error: too long', 'too long'], ['error', 'the worker failed: backend_unknown'], [{ error: '' }, 'the worker failed: backend_unknown'],
  ])('throws what an engine tells in place of a reason: %j', async (reason, message) => {
    const tokens = await ask([whole({ token_ids: [7] }), { token_ids: [], finish_reason: reason }, whole({ token_ids: [8] })]);
    expect((await tokens.next()).value).toMatchObject({ tokenIds: [7] });
    expect(await failure(tokens.next())).toMatchObject({ code: 'ERR_WORKER_ERROR', errorType: 'backend_unknown', message });
    expect(await tokens.next()).toEqual({ done: true, value: undefined });
  });

  it('throws the error of the stream as it is', async () => {
    const worker = await serve(async function * () {
      yield { token_ids: [7] };
      throw new Error('no more');
    });
    const tokens = engineTokens(makeClient().generate<LLMEngineOutput>(worker.address, REQUEST));
    await tokens.next();
    expect(await failure(tokens.next())).toMatchObject({ code: 'ERR_WORKER_ERROR', message: expect.stringContaining('no more') });
  });

  it.each<[string, unknown]>([
    ['a chunk of a worker that takes text', { id: 'x', choices: [{ delta: { content: 'hi' } }] }], ['text', 'hi'], ['tokens that are none', { token_ids: ['a'] }], ['half a token', { token_ids: [1.5] }],
  ])('refuses what is not the output of an engine, and leaves the stream: %s', async (_title, item) => {
    let left: (() => void) | undefined;
    const leaving = new Promise<void>((resolve) => (left = resolve));
    const tokens = await ask(endless(item), 'json', () => left!());
    expect(await failure(tokens.next())).toMatchObject({ code: 'ERR_MESSAGE_INVALID' });
    await leaving;
  });

  it('leaves the stream when its reader does: the worker is told', async () => {
    let left: (() => void) | undefined;
    const leaving = new Promise<void>((resolve) => (left = resolve));
    for await (const { tokenIds } of await ask(endless(whole({ token_ids: [7] })), 'json', () => left!())) {
      expect(tokenIds).toEqual([7]);
      break;
    }
    await leaving;
  });

  it('leaves a stream that nobody has read from', async () => {
    let returned = 0;
    const items = { next: () => Promise.reject(new Error('not asked for')), return: () => Promise.resolve({ done: true as const, value: (returned += 1) }) };
    const tokens = engineTokens({ [Symbol.asyncIterator]: () => items });
    expect(await tokens.return!()).toEqual({ done: true, value: undefined });
    expect(await tokens.next()).toEqual({ done: true, value: undefined });
    expect(returned).toBe(1);
  });
});
