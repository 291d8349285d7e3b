import { once } from 'node:events';
import { createServer, Agent, type Server, type ServerResponse } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import express5 from 'express';
import express4 from 'express4';
import fastify5, { type FastifyInstance } from 'fastify';
import fastify4 from 'fastify4';
import createError from 'http-errors';
import { dynamoTracing, dynamoTracingErrors } from 'dynamo-tracing';
import { dynamoTracing as fastifyTracing, dynamoTracingErrors as fastifyErrors } from 'dynamo-tracing/fastify';
import { lifecycleOf } from '../../src/middleware/watch-response.js';
import { CHAT, chat, open, post, rawRequest, received, send } from '../support/client.js';
import { RecordTap } from '../support/records.js';

const EXPRESS: [string, typeof express5][] = [['Express 5', express5], ['Express 4', express4]];
const FASTIFY: [string, typeof fastify5][] = [['Fastify 5', fastify5], ['Fastify 4', fastify4 as unknown as typeof fastify5]];

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function listening(server: Server): Promise<number> {
  if (!server.listening) await once(server, 'listening');
  closing.push(async () => {
    server.closeAllConnections();
    if (server.listening) await once(server.close(), 'close');
  });
  return (server.address() as AddressInfo).port;
}

async function portOf(app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' });
  return listening(app.server);
}

test.each([dynamoTracingErrors, fastifyErrors])('options that cannot be used are refused at start-up', (make) => {
  for (const options of [{ overloadStatus: 600 }, { overloadStatus: 399 }, { answer: 'no' }, { answers: true }]) {
    expect(() => make(options as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  }
  expect(() => make({ overloadStatus: 599, answer: true })).not.toThrow();
});

const THROWN: [string, () => unknown, number][] = [
  ['null', () => null, 500],
  ['undefined', () => undefined, 500],
  ['text', () => 'secret', 500],
  ['a number', () => 404, 500],
  ['a symbol', () => Symbol('secret'), 500],
  ['an object without a prototype', () => Object.create(null) as unknown, 500],
  ['getters that throw', () => Object.create(Error.prototype, Object.fromEntries(['name', 'code', 'status', 'message', 'stack', 'cause'].map((name) => [name, { get: () => { throw new Error('secret'); } }]))) as unknown, 500],
  ['a status below 400', () => Object.assign(new Error('secret'), { status: 204 }), 500],
  ['a status that HTTP has not', () => Object.assign(new Error('secret'), { status: 1e6 }), 500],
  ['a status over 599', () => Object.assign(new Error('secret'), { status: 700 }), 500],
  ['a long message', () => Object.assign(new Error('é'.repeat(10_000)), { status: 404 }), 404],
  ['a message with line feeds', () => Object.assign(new Error('a\r\nset-cookie: b\r\n\r\n'), { status: 404 }), 404],
  ['an error that is frozen', () => Object.freeze(createError(409, 'text')), 409],
];

/** Whatever is thrown on the first request, it and the next one are answered on one connection. */
async function answersBoth(port: number, status: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const first = await send(port, { agent, path: '/fails' });
    expect([first.status, first.headers['content-length']]).toEqual([status, String(Buffer.byteLength(first.body))]);
    expect(JSON.parse(first.body)).toMatchObject({ error: { code: status, message: expect.not.stringContaining('secret') } });
    expect(first.body.length).toBeLessThan(2000);
    expect(await send(port, { agent, path: '/works' })).toMatchObject({ status: 200, body: 'works', localPort: first.localPort });
  } finally {
    agent.destroy();
  }
}

describe('whatever is thrown gets a clean answer', () => {
  // Express hands on no null; a handler of its own may.
  test.each(THROWN)('from the Express handler: %s', async (_title, make, status) => {
    const handle = dynamoTracingErrors();
    await answersBoth(await listening(createServer((req, res) => (req.url === '/works' ? void res.end('works') : handle(make(), req, res, () => undefined))).listen(0, '127.0.0.1')), status);
  });

  describe.each(FASTIFY)('%s', (_name, fastify) => {
    test.each(THROWN)('%s', async (_title, make, status) => {
      const app = fastify();
      app.setErrorHandler(fastifyErrors());
      app.get('/fails', () => { throw make(); });
      app.get('/works', () => 'works');
      await answersBoth(await portOf(app), status);
    });
  });
});

test('a raw socket reads the answer and the next one, although the failed handler announced a chunked body of another length', async () => {
  const handle = dynamoTracingErrors();
  const port = await listening(createServer((req, res) => {
    if (req.url === '/works') return void res.end('works');
    res.setHeader('content-length', 3).setHeader('transfer-encoding', 'chunked').setHeader('trailer', 'x-sum');
    handle(new Error('planted'), req, res, () => undefined);
  }).listen(0, '127.0.0.1'));
  const socket = await open(port);
  socket.write(rawRequest('/fails', chat()) + rawRequest('/works', chat()));
  const [first = '', second = ''] = (await received(socket, 'works')).split(/(?=HTTP\/1\.1 200)/);
  socket.destroy();
  const [head = '', body = ''] = first.split('\r\n\r\n');
  expect([head.split('\r\n')[0], /content-length: (\d+)/i.exec(head)?.[1], /transfer-encoding|trailer/i.test(head)]).toEqual(['HTTP/1.1 500 Internal Server Error', String(Buffer.byteLength(body)), false]);
  expect(second).toMatch(/^HTTP\/1\.1 200 OK/);
});

describe('no response stays open', () => {
  test('a response whose methods throw is cut short', async () => {
    const handle = dynamoTracingErrors();
    const port = await listening(createServer((req, res) => {
      res.setHeader = () => { throw new Error('a wrapper of somebody'); };
      handle(new Error('planted'), req, res, () => undefined);
    }).listen(0, '127.0.0.1'));
    await expect(send(port)).rejects.toThrow('socket hang up');
  });

  test.each<[string, (res: ServerResponse) => void]>([['destroyed', (res) => res.destroy()], ['ended', (res) => res.end()]])('a response that was %s is left alone', async (_title, finish) => {
    const handle = dynamoTracingErrors();
    const touched: string[] = [];
    const port = await listening(createServer((req, res) => {
      finish(res);
      for (const name of ['end', 'destroy', 'writeHead', 'setHeader'] as const) Object.assign(res, { [name]: () => touched.push(name) });
      handle(new Error('planted'), req, res, () => undefined);
    }).listen(0, '127.0.0.1'));
    await send(port).catch(() => undefined);
    expect(touched).toEqual([]);
  });

  test('a HEAD request is answered where the server refuses bodies, before its head and after', async () => {
    const handle = dynamoTracingErrors();
    const port = await listening(createServer({ rejectNonStandardBodyWrites: true }, (req, res) => {
      if (req.url === '/begun') res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      handle(new Error('planted'), req, res, () => undefined);
    }).listen(0, '127.0.0.1'));
    expect(await send(port, { method: 'HEAD' })).toMatchObject({ status: 500, body: '' });
    expect(await send(port, { method: 'HEAD', path: '/begun' })).toMatchObject({ status: 200, body: '' });
  });
});

describe.each(FASTIFY)('%s', (_name, fastify) => {
  test('headers, serializer and status of the failed reply are not those of the error', async () => {
    const app = fastify();
    app.setErrorHandler(fastifyErrors());
    app.get('/', async (_request, reply) => {
      await Promise.resolve();
      reply.code(204).serializer(JSON.stringify).headers({ 'content-encoding': 'gzip', 'content-length': '5', etag: '"a"', 'cache-control': 'public', vary: 'Origin', 'x-bad': 'a\nb' });
      reply.raw.setHeader('last-modified', 'x');
      throw new Error('planted');
    });
    const res = await send(await portOf(app));
    expect([res.status, JSON.parse(res.body)]).toMatchObject([500, { error: { code: 500 } }]);
    expect(res.headers).toMatchObject({ vary: 'Origin', 'cache-control': 'no-store', 'content-length': String(res.body.length) });
    for (const name of ['content-encoding', 'etag', 'x-bad', 'last-modified']) expect(res.headers).not.toHaveProperty(name);
  });

  test("a header that Node refuses, set by the handler, is answered with the package's error", async () => {
    const app = fastify();
    app.setErrorHandler(fastifyErrors());
    app.get('/', (_request, reply) => reply.header('x-bad', 'a\nb').send({ a: 1 }));
    const res = await send(await portOf(app));
    expect([res.status, JSON.parse(res.body)]).toMatchObject([500, { error: { code: 500, message: 'Internal server error' } }]);
  });

  test('a stream that fails before its head is answered; one that fails later is cut by Fastify and reaches no error handler', async () => {
    const app = fastify();
    const handle = fastifyErrors();
    const seen: unknown[] = [];
    app.setErrorHandler((error: Error, request, reply) => {
      seen.push(error.message);
      handle(error, request, reply);
    });
    const failing = (chunks: string[]): Readable => Readable.from((async function* () {
      yield* chunks;
      throw await Promise.resolve(new Error(`planted after ${chunks.length}`));
    })());
    app.get('/before', (_request, reply) => reply.type('text/event-stream').header('content-length', '7').send(failing([])));
    app.get('/later', (_request, reply) => reply.type('text/event-stream').send(failing(['data: a\n\n'])));
    const port = await portOf(app);
    const before = await send(port, { path: '/before' });
    expect([before.status, JSON.parse(before.body)]).toMatchObject([500, { error: { code: 500 } }]);
    await expect(send(port, { path: '/later' })).rejects.toThrow('aborted');
    expect(seen).toEqual(['planted after 0']);
  });

  test('over HTTP/2 an error is answered without a warning, and a response that has begun is reset, not ended', async () => {
    const app = fastify({ http2: true } as never);
    app.setErrorHandler(fastifyErrors() as never);
    app.get('/before', (_request, reply) => { reply.raw.setHeader('content-length', '3'); throw new Error('planted'); });
    app.get('/begun', async (_request, reply) => {
      reply.raw.writeHead(200, { 'content-type': 'application/json' });
      await new Promise<void>((resolve) => void reply.raw.write('{', () => resolve()));
      throw new Error('planted');
    });
    app.get('/stream', (_request, reply) => {
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
      reply.raw.write('data: a');
      throw new Error('planted');
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    closing.push(() => app.close());
    const warnings: string[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', onWarning);
    const session = connectHttp2(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`);
    const get = async (path: string): Promise<{ status: unknown; body: string; code: number }> => {
      const stream = session.request({ ':path': path });
      const answer = { status: undefined as unknown, body: '', code: 0 };
      stream.on('response', (headers) => { answer.status = headers[':status']; }).on('data', (chunk: Buffer) => { answer.body += chunk.toString(); }).on('error', () => undefined);
      await once(stream, 'close').catch(() => undefined);
      return { ...answer, code: stream.rstCode };
    };
    expect(await get('/before')).toEqual({ status: 500, body: expect.stringContaining('"code":500'), code: 0 });
    expect(await get('/begun')).toEqual({ status: 200, body: '{', code: constants.NGHTTP2_INTERNAL_ERROR });
    expect(await get('/stream')).toEqual({ status: 200, body: expect.stringMatching(/^data: a\n\ndata: \{"error".*\n\ndata: \[DONE\]\n\n$/), code: 0 });
    session.close();
    await once(session, 'close');
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });
});

describe('answer: false records the error and leaves the answer to the app', () => {
  let tap: RecordTap;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(() => tap.stop());

  test.each(EXPRESS)('%s: the next error handler', async (_name, express) => {
    const app = express();
    app.use(dynamoTracing({ logger: false }));
    app.all(CHAT, () => { throw createError(404, 'text'); });
    app.use(dynamoTracingErrors({ answer: false }));
    app.use(((error: Error, _req, res, _next) => void res.status(418).end(`own: ${error.message}`)) as express5.ErrorRequestHandler);
    expect(await post(await listening(app.listen(0, '127.0.0.1')))).toMatchObject({ status: 418, body: 'own: text' });
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'not_found' });
  });

  test.each(FASTIFY)('%s: the error handler of the plugin around', async (_name, fastify) => {
    const app = fastify();
    await app.register(fastifyTracing, { logger: false });
    app.setErrorHandler((error: Error, _request, reply) => reply.code(418).send(`own: ${error.message}`));
    await app.register(async (routes) => {
      await Promise.resolve();
      routes.setErrorHandler(fastifyErrors({ answer: false }));
      routes.post(CHAT, () => { throw createError(404, 'text'); });
      routes.post('/null', () => { throw null; }); // eslint-disable-line @typescript-eslint/only-throw-error -- what is tested
    });
    const port = await portOf(app);
    expect(await post(port)).toMatchObject({ status: 418, body: 'own: text' });
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'not_found' });
    expect((await post(port, '/null')).status).toBe(418);
  });

  test.each(FASTIFY)("%s: without another, Fastify's own", async (_name, fastify) => {
    const app = fastify();
    app.setErrorHandler(fastifyErrors({ answer: false }));
    app.get('/', () => { throw createError(404, 'text'); });
    app.get('/text', () => { throw 'text'; }); // eslint-disable-line @typescript-eslint/only-throw-error -- what is tested
    const port = await portOf(app);
    expect(JSON.parse((await send(port)).body)).toEqual({ statusCode: 404, error: 'Not Found', message: 'text' });
    expect((await send(port, { path: '/text' })).status).toBe(500);
  });
});

describe('the recorder of the request is told of the error', () => {
  function app(express: typeof express5, recorded: unknown[], failedWith = (error: unknown): void => void recorded.push(error)): express5.Express {
    const made = express();
    made.use(dynamoTracing({ logger: false }));
    made.use((_req, res, next) => {
      Object.assign(lifecycleOf(res) as object, { failedWith });
      next();
    });
    return made;
  }

  test.each(EXPRESS)('%s: once, whether it is answered or passed on', async (_name, express) => {
    for (const answer of [true, false]) {
      const recorded: unknown[] = [];
      const error = new Error('planted');
      const made = app(express, recorded);
      made.all(CHAT, () => { throw error; });
      made.use(dynamoTracingErrors({ answer }));
      made.use(((_error, _req, res, _next) => void res.end()) as express5.ErrorRequestHandler);
      await post(await listening(made.listen(0, '127.0.0.1')));
      expect(recorded).toEqual([error]);
    }
  });

  test.each(EXPRESS)('%s: a recorder that throws changes no answer', async (_name, express) => {
    const made = app(express, [], () => { throw new Error('a fault of ours'); });
    made.all(CHAT, () => { throw createError(404, 'text'); });
    made.use(dynamoTracingErrors());
    expect(await post(await listening(made.listen(0, '127.0.0.1')))).toMatchObject({ status: 404, body: expect.stringContaining('text') });
  });

  test.each(EXPRESS)('%s: not of an abort after the client has left, but of any other error then', async (_name, express) => {
    const recorded: unknown[] = [];
    const made = app(express, recorded);
    let begun = 0;
    let begin: () => void;
    const bothBegun = new Promise<void>((resolve) => { begin = resolve; });
    const failAfterClose = (error: unknown): express5.RequestHandler => (_req, res, next) => {
      res.once('close', () => next(error));
      if ((begun += 1) === 2) begin();
    };
    made.all('/abort', failAfterClose(new DOMException('x', 'AbortError')));
    made.all('/other', failAfterClose('other'));
    const handle = dynamoTracingErrors();
    const handled = new Promise<void>((resolve) => {
      let seen = 0;
      made.use(((error: unknown, req, res, next) => {
        handle(error, req, res, next);
        if ((seen += 1) === 2) resolve();
      }) as express5.ErrorRequestHandler);
    });
    const port = await listening(made.listen(0, '127.0.0.1'));
    const [first, second] = [await open(port), await open(port)];
    first.write(rawRequest('/abort', chat()));
    second.write(rawRequest('/other', chat()));
    await bothBegun;
    first.destroy();
    second.destroy();
    await handled;
    expect(recorded).toEqual(['other']);
  });
});
