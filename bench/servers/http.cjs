'use strict';
/**
 * One stack of docs/performance.md in a process: `node servers/http.cjs <framework> <stack>`. Every stack serves the same two
 * routes with the same handlers; only what is put around them differs.
 */
const { serve } = require('../lib/child.cjs');

const COMPLETION = {
  id: 'chatcmpl-8f14e45fceea167a5a36dedd4bea2543',
  object: 'chat.completion',
  created: 1760000000,
  model: 'meta-llama/Llama-3.3-70B-Instruct',
  choices: [{ index: 0, message: { role: 'assistant', content: 'The capital of France is Paris. It lies on the Seine.' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 24, completion_tokens: 13, total_tokens: 37 },
};

// Instrumentations patch what is required after them.
const EXPRESS = {
  bare: {},
  'dynamo-tracing': { sdk: true, use: (app) => app.use(require('dynamo-tracing').dynamoTracing()) },
  // eslint-disable-next-line no-restricted-syntax -- an ES module, and jest never loads this file
  'express-request-id': { use: async (app) => app.use((await import('express-request-id')).default()) },
  'cls-rtracer': { use: (app) => app.use(require('cls-rtracer').expressMiddleware()) },
  'pino-http': { use: (app) => app.use(require('pino-http')()) },
  'instrumentation-http': { sdk: true, instrument: ['http'] },
  'instrumentation-http + express': { sdk: true, instrument: ['http', 'express'] },
  'instrumentation-http + express + pino-http': { sdk: true, instrument: ['http', 'express'], use: (app) => app.use(require('pino-http')()) },
  'instrumentation-http + dynamo-tracing': { sdk: true, instrument: ['http'], use: (app) => app.use(require('dynamo-tracing').dynamoTracing()) },
};
EXPRESS['dynamo-tracing without SDK'] = { ...EXPRESS['dynamo-tracing'], sdk: false };
for (const name of ['bare', 'dynamo-tracing', 'dynamo-tracing without SDK', 'pino-http']) EXPRESS[`createServer, ${name}`] = { ...EXPRESS[name], createServer: true };

const FASTIFY = {
  bare: {},
  'dynamo-tracing': { sdk: true, use: (app) => app.register(require('dynamo-tracing/fastify').dynamoTracing) },
  logger: { options: { logger: true } },
  'cls-rtracer': { use: (app) => app.register(require('cls-rtracer').fastifyPlugin) },
  '@fastify/otel': { sdk: true, use: fastifyOtel },
  '@fastify/otel + logger': { sdk: true, options: { logger: true }, use: fastifyOtel },
  'instrumentation-http': { sdk: true, instrument: ['http'] },
  'instrumentation-http + @fastify/otel + logger': { sdk: true, instrument: ['http'], options: { logger: true }, use: fastifyOtel },
};
FASTIFY['dynamo-tracing without SDK'] = { ...FASTIFY['dynamo-tracing'], sdk: false };

async function fastifyOtel(app, provider) {
  const { FastifyOtelInstrumentation } = require('@fastify/otel');
  const instrumentation = new FastifyOtelInstrumentation();
  instrumentation.setTracerProvider(provider);
  await app.register(instrumentation.plugin());
}

function instrument(names, provider) {
  for (const name of names) {
    const module = name === 'http' ? require('@opentelemetry/instrumentation-http').HttpInstrumentation : require('@opentelemetry/instrumentation-express').ExpressInstrumentation;
    new module().setTracerProvider(provider);
  }
}

async function startExpress(stack, provider) {
  const express = require('express');
  const app = express();
  await stack.use?.(app, provider);
  app.use(express.json());
  app.get('/health', (_req, res) => res.json({ status: 'ready' }));
  app.post('/v1/chat/completions', (_req, res) => res.json(COMPLETION));
  return new Promise((resolve) => {
    const listening = () => resolve(server.address().port);
    const server = stack.createServer ? require('dynamo-tracing').createServer(app).listen(0, '127.0.0.1', listening) : app.listen(0, '127.0.0.1', listening);
  });
}

async function startFastify(stack, provider) {
  const app = require('fastify')(stack.options);
  await stack.use?.(app, provider);
  app.get('/health', (_req, reply) => reply.send({ status: 'ready' }));
  app.post('/v1/chat/completions', (_req, reply) => reply.send(COMPLETION));
  await app.listen({ port: 0, host: '127.0.0.1' });
  return app.server.address().port;
}

async function main([framework, name]) {
  serve();
  const stack = (framework === 'express' ? EXPRESS : FASTIFY)[name];
  const provider = stack.sdk ? require('../lib/otel.cjs').startSdk() : undefined;
  if (stack.instrument !== undefined) instrument(stack.instrument, provider);
  const port = await (framework === 'express' ? startExpress : startFastify)(stack, provider);
  process.send({ port });
}

main(process.argv.slice(2));
