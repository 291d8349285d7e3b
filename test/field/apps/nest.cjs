'use strict';
// NestJS 11 on the platform that PLATFORM names. The decorators are applied by hand: plain JavaScript has no syntax for them.
require('reflect-metadata');
const { Readable } = require('node:stream');
const { Controller, HttpCode, Module, Post, Req, StreamableFile } = require('@nestjs/common');
const { NestFactory } = require('@nestjs/core');
const { trace } = require('@opentelemetry/api');
const { currentTrace, dynamoTracing, tracedFetch } = require('dynamo-tracing');

class ChatController {
  chat(req) {
    return trace.getTracer('app').startActiveSpan('work', async (span) => {
      try {
        span.setAttributes({ 'app.request_id': req.trace.requestId, 'app.trace_id': req.trace.traceId, 'app.current': currentTrace()?.requestId });
        const answer = await tracedFetch(`${process.env.UPSTREAM}/v1/chat/completions`, { method: 'POST', body: JSON.stringify(req.body) });
        return req.body.stream === true ? new StreamableFile(Readable.fromWeb(answer.body), { type: 'text/event-stream' }) : await answer.json();
      } finally {
        span.end();
      }
    });
  }
}
const chat = Object.getOwnPropertyDescriptor(ChatController.prototype, 'chat');
Post('chat/completions')(ChatController.prototype, 'chat', chat);
HttpCode(200)(ChatController.prototype, 'chat', chat);
Req()(ChatController.prototype, 'chat', 0);
Controller('v1')(ChatController);

class AppModule {} // eslint-disable-line @typescript-eslint/no-extraneous-class -- Nest hangs the module on it
Module({ controllers: [ChatController] })(AppModule);

async function main() {
  const options = { logger: ['error', 'warn'] };
  let app;
  if (process.env.PLATFORM === 'fastify') {
    const { FastifyAdapter } = require('@nestjs/platform-fastify');
    app = await NestFactory.create(AppModule, new FastifyAdapter(), options);
    await app.register(require('dynamo-tracing/fastify').dynamoTracing);
  } else {
    app = await NestFactory.create(AppModule, options);
    app.use(dynamoTracing());
  }
  await app.listen(0, '127.0.0.1');
  console.log(`listening ${await app.getUrl()}`);
}
void main();
