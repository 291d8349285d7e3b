'use strict';
const { Readable } = require('node:stream');
const fastify = require('fastify');
const { dynamoTracing } = require('dynamo-tracing/fastify');
const { chatAnswer, chatEvents } = require('../support/answers.cjs');

// By default it leaves event streams alone.
const COMPRESS = { customTypes: /^text\/|json/ };
const app = fastify();
if (process.env.COMPRESSION === 'before') app.register(require('@fastify/compress'), COMPRESS);
app.register(dynamoTracing);
if (process.env.COMPRESSION === 'after') app.register(require('@fastify/compress'), COMPRESS);
app.after(() => app.post('/v1/chat/completions', async (request, reply) => {
  if (request.body.stream !== true) return chatAnswer();
  return reply.type('text/event-stream').send(Readable.from(chatEvents()));
}));
app.listen({ port: 0, host: '127.0.0.1' }).then((url) => console.log(`listening ${url}`));
