import assert from 'node:assert/strict';
import { it } from 'node:test';
import { chat, neighbour } from './support/neighbour.mjs';

const SIZE = 300_000; // several chunks of a socket

/** An audio file to be transcribed; the form names the model before the file or after it. */
const upload = (order) => ({
  send(url, ids) {
    const form = new FormData();
    if (order === 'before') form.append('model', 'field-model');
    form.append('file', new Blob([Buffer.alloc(SIZE, 'audio')]), 'speech.wav');
    if (order === 'after') form.append('model', 'field-model');
    return chat({ path: '/v1/audio/transcriptions' }).send(url, ids, form);
  },
  text: undefined,
});

for (const [title, options] of [
  ['multer', { app: 'multer.cjs' }],
  ['busboy', { app: 'busboy.cjs' }],
  ['@fastify/multipart', { app: 'fastify-multipart.cjs' }],
  ['busboy under instrumentation-http, -express and -router', { app: 'busboy.cjs', telemetry: 'chosen.cjs', env: { INSTRUMENTATIONS: 'http express router' }, work: false, route: '/v1/audio/transcriptions' }],
]) {
  neighbour(`${title}, the model named before and after the file`, { ...options, upstream: false, calls: [upload('before'), upload('after')] }, (visit) => {
    it("the whole file has arrived, and currentTrace() is the request's handle where the answer is made", () => {
      const answers = visit().calls.map(({ answer }) => JSON.parse(answer.text));
      assert.deepEqual(answers.map(({ text, current }) => [text, current]), visit().calls.map(({ requestId }) => [`${SIZE} bytes`, requestId]));
    });
  });
}
