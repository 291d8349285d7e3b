/** Errors that a framework answers by itself, without the package's error handler: they are recorded all the same. */
import { createServer, type Server } from 'node:http';
import { Readable } from 'node:stream';
import { createAdaptorServer } from '@hono/node-server';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Hono } from 'hono';
import Koa from 'koa';
import { traceRequests } from 'dynamo-tracing';
import { dynamoTracing as honoTracing } from 'dynamo-tracing/hono';
import { dynamoTracing as koaTracing, dynamoTracingErrors as koaErrors } from 'dynamo-tracing/koa';
import { CHAT, chat, open, post, rawRequest, received } from '../support/client.js';
import { RecordTap } from '../support/records.js';
import { listen } from '../support/serving.js';
import type { TestServer } from '../support/frameworks.js';

const planted = new Error('a secret prompt');

describe('an error that nobody of ours answers', () => {
  let tap: RecordTap;
  let server: TestServer;
  let told: unknown[];
  const options = () => ({ logger: false, onError: (error: unknown) => void told.push(error) }) as const;
  beforeEach(() => {
    tap = new RecordTap();
    told = [];
  });
  afterEach(async () => {
    await server.close();
    tap.stop();
  });
  const serve = async (given: Server): Promise<number> => (server = await listen(given)).port;
  const koa = (...after: Koa.Middleware[]): Server => koaBehind(async (_ctx, next) => { await next(); }, ...after);
  const koaBehind = (before: Koa.Middleware, ...after: Koa.Middleware[]): Server => {
    const app = new Koa();
    app.silent = true;
    app.use(before);
    app.use(koaTracing(options()));
    for (const each of after) app.use(each);
    const handle = app.callback();
    return createServer((req, res) => void handle(req, res));
  };

  test('Koa: thrown by a middleware, it is answered by Koa, with our ids, and told once', async () => {
    const answer = await post(await serve(koa(() => { throw planted; })));
    expect([answer.status, answer.body, answer.headers['x-request-id']]).toEqual([500, 'Internal Server Error', answer.headers['request-id']]);
    expect([await tap.next('request completed'), told, tap.of('request failed').length]).toMatchObject([{ status: 'error', error_type: 'internal' }, [planted], 1]);
  });

  test('Koa: answered by a middleware that stands before us, it is told once', async () => {
    const before: Koa.Middleware = async (ctx, next) => { await next().catch(() => { ctx.status = 500; }); };
    const answer = await post(await serve(koaBehind(before, () => { throw planted; })));
    expect([answer.status, await tap.next('request completed'), told]).toMatchObject([500, { status: 'error', error_type: 'internal' }, [planted]]);
  });

  test('Koa: of a body that is a stream, it is told once', async () => {
    await expect(post(await serve(koa((ctx) => {
      ctx.body = Readable.from((async function * () {
        yield 'one';
        await Promise.reject(planted);
      })());
    })))).rejects.toThrow();
    expect([await tap.next('request completed'), told]).toMatchObject([{ status: 'error', error_type: 'internal' }, [planted]]);
  });

  test('Koa: a client that leaves in the middle of a stream is no error', async () => {
    const port = await serve(koa((ctx) => {
      ctx.body = Readable.from((async function * () {
        yield 'one';
        await new Promise(() => undefined);
      })());
    }));
    const socket = await open(port);
    socket.write(rawRequest(CHAT, chat()));
    await received(socket, 'one');
    socket.resetAndDestroy();
    expect([await tap.next('request completed'), told, tap.of('request failed')]).toMatchObject([{ status: 'cancelled' }, [], []]);
  });

  test('Koa: dynamoTracingErrors({ answer: false }) leaves the answer to those before it', async () => {
    const own: Koa.Middleware = async (ctx, next) => { await next().catch(() => { ctx.status = 418; }); };
    const answer = await post(await serve(koa(own, koaErrors({ answer: false }) as Koa.Middleware, () => { throw planted; })));
    expect([answer.status, await tap.next('request completed'), told]).toMatchObject([418, { status: 'error', error_type: 'internal' }, [planted]]);
  });

  const hono = (handler: () => Response): Server => {
    const app = new Hono();
    app.use(honoTracing(options()));
    app.post(CHAT, handler);
    app.onError((_error, c) => c.text('own words', 500));
    return createAdaptorServer({ fetch: app.fetch }) as Server;
  };

  test("Hono: thrown by a handler, it is answered by the app's own handler and told once", async () => {
    const answer = await post(await serve(hono(() => { throw planted; })));
    expect([answer.status, answer.body, await tap.next('request completed'), told]).toMatchObject([500, 'own words', { status: 'error', error_type: 'internal' }, [planted]]);
  });

  test('node:http: thrown or rejected with, it goes on to the caller and is told once', async () => {
    const outcomes: unknown[] = [];
    const [rejects, throws] = [traceRequests(() => Promise.reject(planted), options()), traceRequests(() => { throw planted; }, options())];
    const port = await serve(createServer((req, res) => {
      void new Promise((resolve) => { resolve((req.url === CHAT ? rejects : throws)(req, res)); }).catch((error: unknown) => {
        outcomes.push(error);
        res.writeHead(500).end();
      });
    }));
    await post(port);
    await post(port, '/v1/completions');
    expect([await tap.next('request completed', 2), outcomes, told]).toMatchObject([{ status: 'error' }, [planted, planted], [planted, planted]]);
  });
});
