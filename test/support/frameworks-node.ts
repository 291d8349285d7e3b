/** The contract's servers on node:http alone, Koa and Hono. Their bodies are parsed by Express's parser, which needs no Express. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import Router from '@koa/router';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import express from 'express';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import Koa from 'koa';
import { traceRequests, type TracedRequest } from 'dynamo-tracing';
import { dynamoTracing as honoTracing, dynamoTracingErrors as honoErrors } from 'dynamo-tracing/hono';
import { dynamoTracing as koaTracing, dynamoTracingErrors as koaErrors } from 'dynamo-tracing/koa';
import type { Answers, Framework, TestAppOptions } from './frameworks.js';
import { routeOf } from './route-of.js';
import { listen } from './serving.js';

const MAX_BODY = 1024 * 1024;
const PARSER: (req: IncomingMessage, res: ServerResponse, next: (error?: Error) => void) => void = express.json({ limit: MAX_BODY });
type Parsed = IncomingMessage & { body?: unknown };

function parse(req: IncomingMessage, res: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => PARSER(req, res, (error?: Error) => (error === undefined ? resolve() : reject(error))));
}

const statusOf = (error: unknown): number => (error as { status?: number }).status ?? 500;

export const nodeFramework: Framework = {
  name: 'node:http',
  start: ({ tracing, raw = {}, native = {}, errors = false }) => {
    const paths = [...Object.keys(raw), ...Object.keys(native)];
    const handler = async (req: TracedRequest, res: ServerResponse): Promise<void> => {
      try {
        await parse(req, res);
        const path = routeOf(paths, req.url) ?? '';
        const answers: Answers = {
          json: (status, body) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
          text: (status, contentType, body, headers) => res.writeHead(status, { ...headers, 'content-type': contentType }).end(body),
          stream: (contentType, source) => pipeline(source, res.writeHead(200, { 'content-type': contentType }), () => undefined),
        };
        if (raw[path] !== undefined) await raw[path](req, res, req.trace);
        else if (native[path] !== undefined) await native[path](answers, { body: (req as Parsed).body, trace: req.trace });
        else res.writeHead(404).end();
      } catch (error) {
        if (errors) throw error;
        if (res.headersSent) res.destroy();
        else res.writeHead(statusOf(error)).end('failed');
      }
    };
    const traced = traceRequests(handler, { ...tracing, answerErrors: errors, route: (req) => routeOf(paths, req.url) });
    return listen(createServer((req, res) => void traced(req, res)));
  },
};

export const koaFramework: Framework = {
  name: 'Koa 3',
  start: ({ tracing, raw = {}, native = {}, errors = false }) => {
    const app = new Koa();
    app.silent = true;
    app.use(koaTracing(tracing));
    if (errors) app.use(koaErrors());
    app.use(async (ctx, next) => {
      await parse(ctx.req, ctx.res);
      await next();
    });
    const router = new Router();
    for (const [path, handler] of Object.entries(raw)) {
      router.all(path, async (ctx) => {
        ctx.respond = false;
        ctx.res.statusCode = 200; // Koa's is 404 from the beginning
        try {
          await handler(ctx.req, ctx.res, ctx.trace);
        } catch (error) {
          ctx.respond = true;
          throw error;
        }
      });
    }
    for (const [path, handler] of Object.entries(native)) {
      router.all(path, async (ctx) => {
        const answer = (status: number, type: string, body: unknown): void => void Object.assign(ctx, { status, type, body });
        await handler({
          json: (status, body) => answer(status, 'application/json', body),
          text: (status, contentType, body, headers = {}) => {
            ctx.set(headers);
            answer(status, contentType, body);
          },
          stream: (contentType, source) => answer(200, contentType, source),
        }, { body: (ctx.req as Parsed).body, trace: ctx.trace });
      });
    }
    app.use(router.routes());
    const handle = app.callback();
    return listen(createServer((req, res) => void handle(req, res)));
  },
};

/** The application, for a host that has Node's request and response and for one that has not. */
export function honoApp({ tracing, raw = {}, native = {}, errors = false }: TestAppOptions): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.use(honoTracing(tracing as never));
  for (const [path, handler] of Object.entries(raw)) {
    app.all(path, async (c) => {
      const { incoming, outgoing } = c.env as { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse };
      await parse(incoming, outgoing);
      await handler(incoming, outgoing, c.var.trace);
      return RESPONSE_ALREADY_SENT;
    });
  }
  for (const [path, handler] of Object.entries(native)) {
    app.all(path, bodyLimit({ maxSize: MAX_BODY }), async (c) => {
      let answer: Response = c.body(null);
      const body: unknown = c.req.header('content-type') === undefined ? undefined : await c.req.json().catch((cause: unknown) => { throw new HTTPException(400, { cause }); });
      await handler({
        json: (status, value) => void (answer = c.json(value as object, status as 200)),
        text: (status, contentType, text, headers) => void (answer = c.body(text, status as 200, { ...headers, 'content-type': contentType })),
        stream: (contentType, source) => void (answer = c.body(Readable.toWeb(source) as ReadableStream, 200, { 'content-type': contentType })),
      }, { body, trace: c.var.trace });
      return answer;
    });
  }
  app.onError(errors ? honoErrors() : (error, c) => {
    const { outgoing } = { ...c.env } as Partial<HttpBindings>; // other hosts have none
    if (outgoing?.headersSent !== true) return c.text('failed', statusOf(error) as 500);
    outgoing.destroy();
    return RESPONSE_ALREADY_SENT;
  });
  return app;
}

export const honoFramework: Framework = {
  name: 'Hono on node-server',
  start: (options) => listen(createAdaptorServer({ fetch: honoApp(options).fetch }) as Server),
};
