/** Token ids in, token ids out: our client and Dynamo's mocker; and a worker of ours that Dynamo's frontend takes for an engine. */
import { beforeAll, describe, expect, it } from '@jest/globals';
import { engineTokens, type LLMEngineOutput, type PreprocessedRequest, type Router } from 'dynamo-tracing/transport';
import { jsonText } from '../../src/protocol/index.js';
import { compile } from '../docs/type-errors.js';
import { eachRelease } from './support/each-release.js';
import { collect, failing, House } from './support/house.js';
import { announceLikeMocker, startFrontend, startMocker, withoutMocker } from './support/mocker.js';
import { CODECS } from './support/releases.js';

const STARTED_WITHIN_MS = 180_000;
const REQUEST: PreprocessedRequest = { model: 'tiny', token_ids: [5, 6, 7], stop_conditions: { max_tokens: 4 } };

/** What a type does not say of values that arrived: every field is to be known, of its type and there if it has to be. */
const faultsOf = (type: 'LLMEngineOutput' | 'PreprocessedRequest', values: readonly unknown[]): string[] =>
  compile([[`${type}.ts`, `import type { ${type} } from 'dynamo-tracing/transport';\nexport const values: readonly ${type}[] = [\n${values.map((value) => jsonText(value)).join(',\n')}\n];`]]);

eachRelease('our client → Dynamo\'s mocker', (release) => {
  describe.each(CODECS)('%s', (codec) => {
    const house = new House();
    let router: Router;
    beforeAll(async () => {
      await startMocker(house, release, codec);
      router = house.router('dynamo.backend.generate');
    }, STARTED_WITHIN_MS);
    const ask = (request: PreprocessedRequest) => router.generate<LLMEngineOutput>(request, { engineErrors: true });

    it('token ids in, token ids out, with the reason and the counts', async () => {
      const tokens = engineTokens(ask(REQUEST));
      const chunks = await collect(tokens);
      const ids = chunks.flatMap(({ tokenIds }) => tokenIds);
      expect(ids).toHaveLength(4);
      expect(ids.every(Number.isSafeInteger)).toBe(true);
      expect(tokens).toMatchObject({ finishReason: 'length', usage: { inputTokens: 3, outputTokens: 4, cachedTokens: 0 } });
      expect(await router.workers()).toMatchObject([{ codec }]);
    });

    it('what arrives is what LLMEngineOutput says, field by field', async () => {
      const { items: rejection } = await failing(readAll(router, { ...REQUEST, token_ids: Array.from({ length: 5000 }, () => 9) }));
      const items = [...await collect(ask(REQUEST)), ...rejection];
      expect(items.length).toBeGreaterThan(5);
      expect(faultsOf('LLMEngineOutput', items)).toEqual([]);
    }, 120_000);

    it('a rejection that comes as data is a typed error', async () => {
      const { items, error } = await failing(engineTokens(ask({ ...REQUEST, token_ids: Array.from({ length: 5000 }, () => 9) })));
      expect(items).toEqual([]);
      expect(error).toMatchObject({ code: 'ERR_WORKER_ERROR', errorType: 'backend_unknown', message: expect.stringContaining('exceeds') });
    });

    it('leaving the loop leaves the stream, and the next request is answered', async () => {
      const stream = ask({ ...REQUEST, stop_conditions: { max_tokens: 4000 } });
      for await (const { tokenIds } of engineTokens(stream)) if (tokenIds.length > 0) break;
      await expect(stream.ended).resolves.toEqual({ outcome: 'cancelled', signal: 'stream_drop' });
      await expect(collect(engineTokens(ask(REQUEST)))).resolves.toHaveLength(5);
    });
  });
}, withoutMocker);

/** The items as data, then an error: what `failing` wants. */
async function * readAll(router: Router, request: PreprocessedRequest): AsyncGenerator {
  yield * router.generate(request);
  throw new Error('the end');
}

eachRelease('Dynamo\'s frontend → our engine', (release) => {
  describe.each(CODECS)('%s', (codec) => {
    const house = new House();
    const asked: PreprocessedRequest[] = [];
    let frontend: string;
    beforeAll(async () => {
      await startMocker(house, release, codec);
      const server = await house.server();
      const endpoint = server.endpoint('dynamo.ours.generate', async function * (request: PreprocessedRequest): AsyncGenerator<LLMEngineOutput> {
        asked.push(request);
        yield { token_ids: [300], finish_reason: null };
        yield { token_ids: [301], finish_reason: 'length', completion_usage: { prompt_tokens: request.token_ids.length, completion_tokens: 2, total_tokens: request.token_ids.length + 2 } };
      });
      await house.announce(endpoint, codec);
      announceLikeMocker(house, endpoint, 'ours');
      frontend = await startFrontend(house, release, 'tiny', 'ours');
    }, STARTED_WITHIN_MS);

    const post = async (path: string, body: Readonly<Record<string, unknown>>) => {
      const res = await fetch(frontend + path, { method: 'POST', headers: { 'content-type': 'application/json', 'x-dynamo-session-id': 's1' }, body: JSON.stringify({ model: 'ours', ...body }) });
      return { status: res.status, body: await res.json() as Record<string, unknown> };
    };

    it('what it asks is what PreprocessedRequest says, field by field, and the mocker answers the same request', async () => {
      const messages = [{ role: 'user', content: 'hello world' }];
      const answers = [
        await post('/v1/chat/completions', { messages, max_tokens: 5, temperature: 0.5, top_p: 0.9, stop: ['END'], seed: 7, logprobs: true, top_logprobs: 2, nvext: { extra_fields: ['worker_id'] } }),
        await post('/v1/completions', { prompt: 'hello world', max_tokens: 3, ignore_eos: true }),
        await post('/v1/messages', { messages, max_tokens: 4 }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect(answers[0]!.body).toMatchObject({ usage: { prompt_tokens: asked[0]!.token_ids.length, completion_tokens: 2 }, choices: [{ finish_reason: 'length' }] });
      expect(asked.map(({ stop_conditions: { max_tokens } }) => max_tokens)).toEqual([5, 3, 4]);
      expect(faultsOf('PreprocessedRequest', asked)).toEqual([]);
      const again = engineTokens(house.router('dynamo.backend.generate').generate<LLMEngineOutput>(asked[0]));
      expect((await collect(again)).flatMap(({ tokenIds }) => tokenIds)).toHaveLength(5);
    }, 120_000);
  });
}, withoutMocker);
