'use strict';
// A gateway of @fastify/http-proxy as its README shows it, and our headers for the next hop.
const fastify = require('fastify');
const { dynamoTracing } = require('dynamo-tracing/fastify');

const app = fastify();
app.register(dynamoTracing);
app.register(require('@fastify/http-proxy'), {
  upstream: process.env.UPSTREAM,
  replyOptions: { rewriteRequestHeaders: (request, headers) => ({ ...headers, ...request.trace.headers() }) },
});
app.listen({ port: 0, host: '127.0.0.1' }).then((url) => console.log(`listening ${url}`));
