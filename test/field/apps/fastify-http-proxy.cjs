'use strict';
// A gateway of @fastify/http-proxy. HELPER=1 puts our headers in through the interceptor, else the hook of the proxy does.
const fastify = require('fastify');
const { Agent } = require('undici');
const dynamoTracing = require('dynamo-tracing');

const app = fastify();
app.register(require('dynamo-tracing/fastify').dynamoTracing);
app.register(require('@fastify/http-proxy'), {
  upstream: process.env.UPSTREAM,
  ...(process.env.HELPER === '1'
    ? { undici: new Agent().compose(dynamoTracing.traceInterceptor()) }
    : { replyOptions: { rewriteRequestHeaders: (request, headers) => ({ ...headers, ...request.trace.headers() }) } }),
});
app.listen({ port: 0, host: '127.0.0.1' }).then((url) => console.log(`listening ${url}`));
