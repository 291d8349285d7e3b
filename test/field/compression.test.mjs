import assert from 'node:assert/strict';
import { it } from 'node:test';
import { chat, neighbour } from './support/neighbour.mjs';

const ENCODINGS = ['gzip', 'br'];
const calls = ENCODINGS.flatMap((encoding) => [false, true].map((stream) => ({ ...chat({ stream, headers: { 'accept-encoding': encoding } }), encoding, outbound: false })));
const compressed = (visit) => it('the answers went out compressed', () => {
  assert.deepEqual(visit().calls.map(({ answer }) => answer?.headers.get('content-encoding')), calls.map(({ encoding }) => encoding));
});

for (const order of ['before', 'after']) {
  neighbour(`compression() mounted ${order} us, Express`, { app: 'express-answers.cjs', env: { COMPRESSION: order }, calls, upstream: false }, compressed);
  neighbour(`@fastify/compress registered ${order} us`, { app: 'fastify-answers.cjs', env: { COMPRESSION: order }, calls, upstream: false }, compressed);
}
