import assert from 'node:assert/strict';
import { it } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import answers from './support/answers.cjs';
import { chat, neighbour } from './support/neighbour.mjs';

const { messageAnswer, messageEvents, MODEL, WORDS } = answers;
const messages = [{ role: 'user', content: 'a secret prompt' }];

/** A call by the OpenAI client: what it read, and the id that it tells its user. */
const byOpenAI = (stream) => ({
  async send(url, ids) {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'key', defaultHeaders: ids, maxRetries: 0 });
    const { data, response, request_id: told } = await client.chat.completions.create({ model: MODEL, messages, stream }).withResponse();
    let text = stream ? '' : data.choices[0].message.content;
    if (stream) for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
    return { status: response.status, headers: response.headers, text, told };
  },
  text: WORDS.join(''),
});
const byAnthropic = (stream) => ({
  async send(url, ids) {
    const client = new Anthropic({ baseURL: url, apiKey: 'key', defaultHeaders: ids, maxRetries: 0 });
    const { data, response, request_id: told } = await client.messages.create({ model: MODEL, messages, max_tokens: 16, stream }).withResponse();
    let text = stream ? '' : data.content[0].text;
    if (stream) for await (const event of data) text += event.delta?.text ?? '';
    return { status: response.status, headers: response.headers, text, told };
  },
  text: WORDS.join(''),
});
const names = (id) => (visit) => it('the client tells its user the id that is in our records', () => {
  assert.deepEqual(visit().calls.map(({ answer }) => answer?.told), visit().calls.map(id));
});

neighbour('the OpenAI client as the caller', { app: 'express-answers.cjs', upstream: false, calls: [byOpenAI(false), byOpenAI(true)] }, names(({ ids }) => ids['x-request-id']));
neighbour('the Anthropic client as the caller', { app: 'express-answers.cjs', upstream: false, calls: [byAnthropic(false), byAnthropic(true)] }, names(({ requestId }) => requestId));

/** A request for Anthropic's API, by hand. */
const message = (stream) => ({
  send: (url, ids) => chat({ path: '/v1/messages' }).send(url, ids, { model: MODEL, messages, max_tokens: 16, stream }),
  text: stream ? messageEvents().join('') : JSON.stringify(messageAnswer()),
});
const lines = answers.chatEvents().slice(0, -1).map((event) => event.slice('data: '.length, -1)).join('');
neighbour('toReadableStream() of the OpenAI client inside an app', { app: 'openai-inside.cjs', calls: [{ ...chat({ stream: true, path: '/api/lines' }), text: lines }] });

for (const [name, app, route, calls] of [
  ['OpenAI', 'openai-inside.cjs', '/v1/chat/completions', [chat(), chat({ stream: true })]],
  ['Anthropic', 'anthropic-inside.cjs', '/v1/messages', [message(false), message(true)]],
]) {
  neighbour(`the ${name} client inside an app, with tracedFetch`, { app, calls });
  // All of them have one for the OpenAI client, too.
  const instrumented = name === 'OpenAI' ? { telemetry: 'auto.cjs' } : { telemetry: 'chosen.cjs', env: { INSTRUMENTATIONS: 'http undici' } };
  neighbour(`the ${name} client inside an app, with tracedFetch, beside instrumentations`, { app, calls, route, ...instrumented, work: false });
  const refused = { ...calls[0], text: undefined, status: 502, record: { status: 'error', model: MODEL } };
  neighbour(`the ${name} client inside an app whose own key is refused`, { app, env: { KEY: 'wrong' }, calls: [refused] }, (visit) => {
    it("the caller gets nothing of the provider's text", () => assert.doesNotMatch(visit().calls[0].answer.text, /api[ _-]key|wrong/i));
  });
}
