'use strict';
// The same on Fastify; CALL chooses how the upstream is called.
const { Readable } = require('node:stream');
const { trace } = require('@opentelemetry/api');
const fastify = require('fastify');
const { currentTrace, tracedFetch } = require('dynamo-tracing');
const { dynamoTracing } = require('dynamo-tracing/fastify');

const call = process.env.CALL === 'fetch' ? fetch : tracedFetch;
const app = fastify();
app.register(dynamoTracing, JSON.parse(process.env.OPTIONS ?? '{}'));
app.post('/v1/chat/completions', (request, reply) => trace.getTracer('app').startActiveSpan('work', async (span) => {
  try {
    span.setAttributes({ 'app.request_id': request.trace.requestId, 'app.trace_id': request.trace.traceId, 'app.current': currentTrace()?.requestId });
    const answer = await call(`${process.env.UPSTREAM}/v1/chat/completions`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(request.body), signal: request.trace.signal,
    });
    return await reply.code(answer.status).type(answer.headers.get('content-type')).send(Readable.fromWeb(answer.body));
  } finally {
    span.end();
  }
}));
app.listen({ port: 0, host: '127.0.0.1' }).then((url) => console.log(`listening ${url}`));
