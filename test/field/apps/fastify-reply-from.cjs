'use strict';
// A route that parses the body and goes on with reply.from().
const fastify = require('fastify');
const { dynamoTracing } = require('dynamo-tracing/fastify');

const app = fastify();
app.register(dynamoTracing);
app.register(require('@fastify/reply-from'), { base: process.env.UPSTREAM });
app.post('/v1/chat/completions', (request, reply) => reply.from('/v1/chat/completions', {
  rewriteRequestHeaders: (_request, headers) => ({ ...headers, ...request.trace.headers() }),
}));
app.listen({ port: 0, host: '127.0.0.1' }).then((url) => console.log(`listening ${url}`));
