'use strict';
// A parser of the app's own that reads the request by its events, and a handler that goes on from it.
const { Readable } = require('node:stream');
const fastify = require('fastify');
const { trace } = require('@opentelemetry/api');
const { currentTrace, tracedFetch } = require('dynamo-tracing');
const { dynamoTracing } = require('dynamo-tracing/fastify');

const tell = (where) => console.log(`${where} ${currentTrace()?.requestId}`);
const app = fastify();
app.register(dynamoTracing);
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', (_request, payload, done) => {
  const chunks = [];
  payload.on('data', (chunk) => chunks.push(chunk));
  payload.on('end', () => {
    tell('end');
    done(null, Buffer.concat(chunks));
  });
});
app.post('/v1/chat/completions', async (request, reply) => {
  reply.raw.on('finish', () => tell('finish'));
  const span = trace.getTracer('app').startSpan('work');
  span.setAttributes({ 'app.request_id': request.trace.requestId, 'app.trace_id': request.trace.traceId, 'app.current': currentTrace()?.requestId });
  const answer = await tracedFetch(`${process.env.UPSTREAM}/v1/chat/completions`, { method: 'POST', body: request.body });
  tell('after');
  span.end();
  return reply.code(answer.status).type(answer.headers.get('content-type')).send(Readable.fromWeb(answer.body));
});
app.listen({ port: 0, host: '127.0.0.1' }).then((url) => console.log(`listening ${url}`));
