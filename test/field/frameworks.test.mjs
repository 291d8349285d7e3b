import assert from 'node:assert/strict';
import { it } from 'node:test';
import answers from './support/answers.cjs';
import { chat, neighbour } from './support/neighbour.mjs';

for (const platform of ['express', 'fastify']) {
  neighbour(`NestJS 11 on ${platform}`, { app: 'nest.cjs', env: { PLATFORM: platform } });
  neighbour(`NestJS 11 on ${platform} under NodeSDK with all instrumentations`, { app: 'nest.cjs', telemetry: 'auto.cjs', env: { PLATFORM: platform } });
}

for (const [FRAMEWORK, name] of Object.entries({ node: 'node:http', koa: 'Koa', hono: 'Hono on node-server', fetch: 'a Fetch handler on node-server' })) {
  const app = 'other-gateways.cjs';
  neighbour(`${name}, no SDK`, { app, env: { FRAMEWORK } });
  neighbour(`${name}, an SDK without instrumentations`, { app, telemetry: 'chosen.cjs', env: { FRAMEWORK, INSTRUMENTATIONS: '' }, server: 'ours' });
  neighbour(`${name}, instrumentation-http alone`, { app, telemetry: 'chosen.cjs', env: { FRAMEWORK, INSTRUMENTATIONS: 'http' } });
  neighbour(`${name}, NodeSDK with all instrumentations`, { app, telemetry: 'auto.cjs', env: { FRAMEWORK } });
}

neighbour('body-parser mounted before us', { app: 'express-answers.cjs', env: { BODY_PARSER: 'before' }, upstream: false });

for (const order of ['before', 'after']) {
  for (const logger of ['own', 'shared']) {
    neighbour(`pino-http mounted ${order} us, ${logger} logger`, { app: 'pino-http.cjs', env: { ORDER: order, LOGGER: logger }, upstream: false }, (visit) => {
      it('no line of pino-http says the same as our completion record', () => {
        const { app, calls } = visit();
        const theirs = app.records.filter(({ res }) => res !== undefined).map(({ message }) => message);
        assert.equal(theirs.length, calls.length);
        for (const { completed } of calls) assert.ok(!theirs.includes(completed[0]?.message), `both say: ${theirs[0]}`);
      });
    });
  }
}

/** What useChat() and useCompletion() send. */
const asked = (path, body, record) => ({
  send: (url, ids) => chat({ path }).send(url, ids, body),
  text: undefined,
  record: { status: 'success', model: 'field-model', output_tokens: '16', ...record },
});
const conversation = { id: '1', messages: [{ id: 'm', role: 'user', parts: [{ type: 'text', text: 'a secret prompt' }] }] };
neighbour('AI SDK: UI message streams without and with usage, text stream', {
  app: 'ai-sdk.cjs',
  upstream: false,
  calls: [
    asked('/api/chat', conversation, { output_tokens_estimated: 'true', finish_reason: 'stop' }),
    asked('/api/chat-with-usage', conversation, { input_tokens: '7', finish_reason: 'stop' }),
    asked('/api/completion', { prompt: 'a secret prompt' }, { input_tokens: '7' }),
  ],
}, (visit) => {
  it('the answers are those of the AI SDK', () => {
    const texts = visit().calls.map(({ answer }) => answer.text);
    assert.equal(texts[2], answers.WORDS.join(''));
    for (const text of texts.slice(0, 2)) assert.ok(answers.WORDS.every((word) => text.includes(`"delta":"${word}"`)), text);
  });
});

for (const [title, options] of [
  ['no SDK', {}],
  ['instrumentation-http alone', { telemetry: 'chosen.cjs', env: { INSTRUMENTATIONS: 'http' } }],
  ['instrumentation-http, -express and -router', { telemetry: 'chosen.cjs', env: { INSTRUMENTATIONS: 'http express router' } }],
  ['@fastify/otel with instrumentation-http', { telemetry: 'chosen.cjs', env: { INSTRUMENTATIONS: 'http fastify' } }],
  ['an SDK without instrumentations', { telemetry: 'chosen.cjs', env: { INSTRUMENTATIONS: '' }, server: 'ours' }],
]) {
  const apps = { Express: 'listeners.cjs', Fastify: 'fastify-listeners.cjs' };
  for (const [framework, app] of Object.entries(apps)) {
    if (title.includes(framework === 'Express' ? 'fastify' : 'express')) continue;
    neighbour(`${framework}: listeners on the request and the response, ${title}`, { app, ...options }, (visit) => {
      it("currentTrace() is the request's handle in `end` of the request, after an await, and in `finish` of the response", () => {
        const { app: { stdout }, calls } = visit();
        const told = (where) => [...stdout.matchAll(new RegExp(`^${where} (.*)$`, 'gm'))].map(([, id]) => id);
        const ids = calls.map(({ requestId }) => requestId);
        assert.deepEqual({ end: told('end'), after: told('after'), finish: told('finish') }, { end: ids, after: ids, finish: ids });
      });
    });
  }
}
