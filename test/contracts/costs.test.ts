/** What one request costs, in counts that are exact: a listener, a timer or a scope more is seen here, whatever the machine is doing. */
import { createServer as createHttp, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace-base';
import express from 'express';
import fastify from 'fastify';
import { dynamoTracing } from 'dynamo-tracing';
import { dynamoTracing as fastifyTracing } from 'dynamo-tracing/fastify';
import { CHAT, chat, rawRequest } from '../support/client.js';
import { beyond, costsOf, REQUESTS } from '../support/costs.js';
import { closeAfterEach } from '../support/listening.js';

Object.assign(process.env, { DYN_LOG: 'info', DYN_LOGGING_JSONL: '1' });
closeAfterEach();

const ANSWER = '{"id":"x","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}';
const CHUNKS = 100;
const LAST = 'data: [DONE]\n\n\r\n0\r\n\r\n';
const HEALTH = 'GET /health HTTP/1.1\r\nhost: x\r\n\r\n';
const POST = rawRequest(CHAT, chat());
const STREAM = rawRequest(CHAT, chat({ stream: true }));

function stream(res: ServerResponse): void {
  const event = (data: object): string => `data: ${JSON.stringify({ id: 'x', model: 'm', ...data })}\n\n`;
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  for (let i = 0; i < CHUNKS; i += 1) res.write(event({ choices: [{ index: 0, delta: { content: `token ${i}` } }] }));
  res.write(event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: CHUNKS } }));
  res.end('data: [DONE]\n\n');
}
const asksForStream = (body: unknown): boolean => (body as { stream?: unknown } | undefined)?.stream === true;

const SERVERS: Readonly<Record<string, (isTraced: boolean) => Promise<Server>>> = {
  Express: async (isTraced) => {
    const app = express();
    if (isTraced) app.use(dynamoTracing());
    app.use(express.json());
    app.all([CHAT, '/health'], (req, res) => (asksForStream(req.body) ? stream(res) : void res.type('json').send(ANSWER)));
    return Promise.resolve(createHttp(app));
  },
  Fastify: async (isTraced) => {
    const app = fastify();
    if (isTraced) await app.register(fastifyTracing, {});
    app.route({ method: ['GET', 'POST'], url: '/*', handler: (request, reply) => (asksForStream(request.body) ? stream(reply.hijack().raw) : reply.type('application/json').send(ANSWER)) });
    await app.ready();
    return app.server;
  },
  'node:http': async (isTraced) => {
    const middleware = dynamoTracing();
    const handler = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
      const body = (await req.setEncoding('utf8').toArray()).join('');
      if (body.includes('"stream":true')) stream(res);
      else res.setHeader('content-type', 'application/json').end(ANSWER);
    };
    return Promise.resolve(createHttp((req, res) => (isTraced ? middleware(req, res, () => void handler(req, res)) : void handler(req, res))));
  },
};

/** Keeps spans, and makes nothing beside them. */
const spans: ReadableSpan[] = [];
const KEEPS: SpanProcessor = { onStart: () => undefined, onEnd: (span) => void spans.push(span), forceFlush: () => Promise.resolve(), shutdown: () => Promise.resolve() };

const registerSdk = (): void => {
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [KEEPS] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
};

/** What a traced request costs beyond one that is not, on the same server. */
async function added(name: string, request: string, end = ANSWER): Promise<Record<string, unknown>> {
  const bare = await costsOf(await SERVERS[name]!(false), request, end);
  spans.length = 0;
  const traced = await costsOf(await SERVERS[name]!(true), request, end);
  return { ...beyond(traced, bare), spans: spans.length / REQUESTS };
}

/** Of every request with its body watched; `writes` are pieces written to standard error, each of all lines of a turn. */
const INFERENCE = {
  listenersOfResponse: { finish: 1, close: 1 },
  putOnRequest: ['body', 'emit', 'push'],
  putOnResponse: ['emit', 'end', 'write', 'writeHead'],
  contexts: 2,
  timers: 1,
  writes: 1,
  lines: ['request received', 'http response sent', 'request completed'],
};
const SYSTEM = { listenersOfResponse: { finish: 1, close: 1 }, putOnRequest: ['emit'], putOnResponse: ['emit', 'writeHead'], contexts: 1 };
/** How often the request's context is entered: by the middleware, and where Node tells of an event outside of it. */
const entered = (times: number, runsEach: number): Record<string, number> => ({ runInRequest: times, 'context.with': times, 'AsyncLocalStorage.run': times * runsEach });

// In node:http the handler waits for the end of the body by a listener, which Node tells outside of the request.
describe.each([['Express', 0], ['Fastify', 0], ['node:http', 1]])('what a request costs on %s beyond the bare server', (name, more) => {
  afterEach(() => {
    trace.disable();
    context.disable();
  });

  test('with an SDK that records', async () => {
    registerSdk();
    expect(await added(name, POST)).toEqual({ ...INFERENCE, ...entered(2 + more, 2), 'JSON.parse': 2 + more, spans: 1 });
  });

  test('without an SDK', async () => {
    expect(await added(name, POST)).toEqual({ ...INFERENCE, ...entered(2 + more, 1), 'JSON.parse': 2 + more, spans: 0 });
  });

  test('of a health check whose span is filtered out', async () => {
    registerSdk();
    expect(await added(name, HEALTH)).toEqual({ ...SYSTEM, ...entered(2, 2), spans: 0 });
  });

  test(`of a stream of ${CHUNKS} chunks, which are neither parsed nor entered one by one`, async () => {
    registerSdk();
    expect(await added(name, STREAM, LAST)).toEqual({ ...INFERENCE, ...entered(2 + more, 2), 'JSON.parse': 8 + 2 * more, spans: 1 });
  });
});
