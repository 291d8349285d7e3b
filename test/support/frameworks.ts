import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Http2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type Readable } from 'node:stream';
import express5 from 'express';
import express4 from 'express4';
import fastify5, { type FastifyInstance } from 'fastify';
import fastify4 from 'fastify4';
import { createServer, dynamoTracing, dynamoTracingErrors, type DynamoTracingOptions, type RequestTrace } from 'dynamo-tracing';
import { dynamoTracing as fastifyTracing, dynamoTracingErrors as fastifyErrors } from 'dynamo-tracing/fastify';
import { speaksHttp2 } from './http2-client.js';

/** A handler that answers on the raw response; every framework hands it on. */
export type RawHandler = (req: IncomingMessage & { body?: unknown }, res: ServerResponse, trace: RequestTrace) => unknown;
/** Ways to answer in the framework's own words. */
export interface Answers {
  json(status: number, body: unknown): unknown;
  text(status: number, contentType: string, body: string): unknown;
  stream(contentType: string, source: Readable): unknown;
}
export type NativeHandler = (answers: Answers, req: { body: unknown; trace: RequestTrace }) => unknown;

export interface TestServer {
  readonly port: number;
  readonly url: string;
  readonly server: Server;
  close(): Promise<void>;
}

export interface TestAppOptions {
  readonly tracing?: DynamoTracingOptions;
  /** Routes answered raw, by path; POST and GET alike. */
  readonly raw?: Readonly<Record<string, RawHandler>>;
  readonly native?: Readonly<Record<string, NativeHandler>>;
  /** Mount the package's error handler. */
  readonly errors?: boolean;
}

export interface Framework {
  readonly name: string;
  start(options: TestAppOptions): Promise<TestServer>;
}

function serving(server: Server): TestServer {
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    server,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Express whose applications listen through `createServer` of this package. */
function throughCreateServer(express: typeof express5): typeof express5 {
  const make = (): express5.Express => {
    const app = express();
    app.listen = (...args: unknown[]) => createServer(app).listen(...args as Parameters<Server['listen']>);
    return app;
  };
  return Object.assign(make, express);
}

/** Every version of Express, on its own server and on that of `createServer`. */
export const EXPRESS: readonly (readonly [name: string, express: typeof express5])[] = [
  ['Express 5', express5],
  ['Express 4', express4],
  ['Express 5 through createServer', throughCreateServer(express5)],
  ['Express 4 through createServer', throughCreateServer(express4)],
];

function expressFramework(name: string, express: typeof express5): Framework {
  return {
    name,
    start: async ({ tracing, raw = {}, native = {}, errors = false }) => {
      const app = express();
      app.use(dynamoTracing(tracing));
      app.use(express.json({ limit: '1mb' }));
      for (const [path, handler] of Object.entries(raw)) app.all(path, (req, res, next) => void Promise.resolve().then(() => req.trace.run(() => handler(req, res, req.trace))).catch(next));
      for (const [path, handler] of Object.entries(native)) {
        app.all(path, (req, res, next) => {
          const answers: Answers = {
            json: (status, body) => res.status(status).json(body),
            text: (status, contentType, body) => res.status(status).type(contentType).send(body),
            stream: (contentType, source) => source.pipe(res.type(contentType)),
          };
          void Promise.resolve().then(() => handler(answers, { body: req.body, trace: req.trace })).catch(next);
        });
      }
      if (errors) app.use(dynamoTracingErrors());
      else app.use(((error: unknown, _req, res, next) => (res.headersSent ? next(error) : void res.status((error as { status?: number }).status ?? 500).end('failed'))) as express5.ErrorRequestHandler);
      const server = app.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return serving(server);
    },
  };
}

function fastifyFramework(name: string, fastify: typeof fastify5, http2 = false): Framework {
  return {
    name,
    start: async ({ tracing, raw = {}, native = {}, errors = false }) => {
      const app = (http2 ? fastify({ bodyLimit: 1024 * 1024, http2: true }) : fastify({ bodyLimit: 1024 * 1024 })) as FastifyInstance;
      await app.register(fastifyTracing, tracing ?? {});
      if (errors) app.setErrorHandler(fastifyErrors());
      const method = ['GET', 'HEAD', 'POST'];
      for (const [url, handler] of Object.entries(raw)) {
        app.route({ method, url, handler: async (request, reply) => {
          await handler(Object.assign(request.raw, { body: request.body }), reply.raw, request.trace);
          reply.hijack();
        } });
      }
      for (const [url, handler] of Object.entries(native)) {
        app.route({ method, url, handler: async (request, reply) => {
          const answers: Answers = {
            json: (status, body) => reply.code(status).send(body),
            text: (status, contentType, body) => reply.code(status).type(contentType).send(body),
            stream: (contentType, source) => reply.type(contentType).send(source),
          };
          await handler(answers, { body: request.body, trace: request.trace });
          return reply;
        } });
      }
      const sessions = new Set<Http2Session>();
      app.server.on('session', (session: Http2Session) => sessions.add(session));
      await app.listen({ port: 0, host: '127.0.0.1' });
      if (!http2) return serving(app.server);
      const { port } = app.server.address() as AddressInfo;
      const forget = speaksHttp2(port);
      return { port, url: `http://127.0.0.1:${port}`, server: app.server, close: async () => {
        forget();
        const closed = once(app.server, 'close');
        app.server.close();
        for (const session of sessions) session.destroy();
        await closed;
      } };
    },
  };
}

/** Every framework and major version that the adapters support. */
export const FRAMEWORKS: readonly Framework[] = [
  ...EXPRESS.map(([name, express]) => expressFramework(name, express)),
  fastifyFramework('Fastify 5', fastify5),
  fastifyFramework('Fastify 4', fastify4 as unknown as typeof fastify5),
  fastifyFramework('Fastify 5 over HTTP/2', fastify5, true),
];
