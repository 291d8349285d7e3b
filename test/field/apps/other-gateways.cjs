'use strict';
// The same gateway on what FRAMEWORK names: node:http, Koa, Hono on node-server, a Fetch handler on node-server.
const { once } = require('node:events');
const { createServer } = require('node:http');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { json } = require('node:stream/consumers');
const { trace } = require('@opentelemetry/api');
const { currentTrace, traceFetchHandler, traceRequests, tracedFetch } = require('dynamo-tracing');

const PATH = '/v1/chat/completions';

/** Asks the upstream inside a span of the application. */
function work(handle, body) {
  return trace.getTracer('app').startActiveSpan('work', async (span) => {
    try {
      span.setAttributes({ 'app.request_id': handle.requestId, 'app.trace_id': handle.traceId, 'app.current': currentTrace()?.requestId });
      return await tracedFetch(process.env.UPSTREAM + PATH, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal: handle.signal });
    } finally {
      span.end();
    }
  });
}

const headersOf = (answer) => ({ 'content-type': answer.headers.get('content-type') });

const SERVERS = {
  node: () => createServer(traceRequests(async (req, res) => {
    const answer = await work(req.trace, await json(req));
    await pipeline(Readable.fromWeb(answer.body), res.writeHead(answer.status, headersOf(answer)));
  })),
  koa: () => {
    const Koa = require('koa');
    const Router = require('@koa/router');
    const { dynamoTracing } = require('dynamo-tracing/koa');
    const router = new Router();
    router.post(PATH, async (ctx) => {
      const answer = await work(ctx.trace, await json(ctx.req));
      ctx.set(headersOf(answer));
      ctx.body = Readable.fromWeb(answer.body);
    });
    return createServer(new Koa().use(dynamoTracing()).use(router.routes()).callback());
  },
  hono: () => {
    const { Hono } = require('hono');
    const { createAdaptorServer } = require('@hono/node-server');
    const { dynamoTracing } = require('dynamo-tracing/hono');
    const app = new Hono();
    app.use(dynamoTracing());
    app.post(PATH, async (c) => {
      const answer = await work(c.var.trace, await c.req.json());
      return c.body(answer.body, answer.status, headersOf(answer));
    });
    return createAdaptorServer({ fetch: app.fetch });
  },
  fetch: () => {
    const { createAdaptorServer } = require('@hono/node-server');
    return createAdaptorServer({ fetch: traceFetchHandler(async (request) => {
      const answer = await work(request.trace, await request.json());
      return new Response(answer.body, { status: answer.status, headers: headersOf(answer) });
    }, { route: PATH }) });
  },
};

async function main() {
  const server = SERVERS[process.env.FRAMEWORK]().listen(0, '127.0.0.1');
  await once(server, 'listening');
  console.log(`listening http://127.0.0.1:${server.address().port}`);
}
void main();
