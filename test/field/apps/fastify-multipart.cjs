'use strict';
const fastify = require('fastify');
const { currentTrace } = require('dynamo-tracing');
const { dynamoTracing } = require('dynamo-tracing/fastify');
const { transcription } = require('../support/answers.cjs');

const app = fastify();
app.register(dynamoTracing);
app.register(require('@fastify/multipart'));
app.post('/v1/audio/transcriptions', async (request) => {
  let size = 0;
  for await (const part of request.parts()) if (part.type === 'file') for await (const chunk of part.file) size += chunk.length;
  return transcription(size, currentTrace()?.requestId);
});
app.listen({ port: 0, host: '127.0.0.1' }).then((url) => console.log(`listening ${url}`));
