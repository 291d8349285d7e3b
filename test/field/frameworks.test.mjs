import assert from 'node:assert/strict';
import { it } from 'node:test';
import { chat, neighbour } from './support/neighbour.mjs';

for (const platform of ['express', 'fastify']) {
  neighbour(`NestJS 11 on ${platform}`, { app: 'nest.cjs', env: { PLATFORM: platform } });
  neighbour(`NestJS 11 on ${platform} under NodeSDK with all instrumentations`, { app: 'nest.cjs', telemetry: 'auto.cjs', env: { PLATFORM: platform } });
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
const asked = (path, body, expected) => ({
  send: (url, ids) => chat({ path }).send(url, ids, body),
  text: undefined,
  outbound: false,
  ...expected,
});
neighbour('AI SDK: UI message stream and text stream', {
  app: 'ai-sdk.cjs',
  upstream: false,
  calls: [
    asked('/api/chat', { id: '1', messages: [{ id: 'm', role: 'user', parts: [{ type: 'text', text: 'a secret prompt' }] }] },
      { record: { status: 'success', model: 'field-model', request_type: 'stream', output_tokens: '16', output_tokens_estimated: 'true', finish_reason: 'stop' } }),
    asked('/api/completion', { prompt: 'a secret prompt' }, { record: { status: 'success', model: 'field-model', request_type: 'stream', input_tokens: '7', output_tokens: '16' } }),
  ],
});

for (const [title, options] of [
  ['no SDK', {}],
  ['instrumentation-http alone', { telemetry: 'chosen.cjs', env: { INSTRUMENTATIONS: 'http' } }],
  ['instrumentation-http, -express and -router', { telemetry: 'chosen.cjs', env: { INSTRUMENTATIONS: 'http express router' } }],
  ['an SDK without instrumentations', { telemetry: 'chosen.cjs', env: { INSTRUMENTATIONS: '' }, server: 'ours' }],
]) {
  neighbour(`listeners on the request and the response, ${title}`, { app: 'listeners.cjs', ...options }, (visit) => {
    it("currentTrace() is the request's handle in `end` and after an await in it", () => {
      assert.deepEqual(visit().calls.map(({ answer }) => answer?.headers.get('x-current')), visit().calls.map(({ requestId }) => requestId));
    });
    it("currentTrace() is the request's handle in the response's `finish`", () => {
      assert.deepEqual([...visit().app.stdout.matchAll(/^finished (.*)$/gm)].map(([, id]) => id), visit().calls.map(({ requestId }) => requestId));
    });
  });
}
