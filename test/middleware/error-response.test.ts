import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect as connectHttp2, constants } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import fastify5 from 'fastify';
import fastify4 from 'fastify4';
import createError from 'http-errors';
import { dynamoTracingErrors } from 'dynamo-tracing';
import { dynamoTracingErrors as fastifyErrors } from 'dynamo-tracing/fastify';
import { chat, open, rawRequest, received, send } from '../support/client.js';
import { closeAfterEach, closeLater, listening, portOf } from '../support/listening.js';

const FASTIFY: [string, typeof fastify5][] = [['Fastify 5', fastify5], ['Fastify 4', fastify4 as unknown as typeof fastify5]];

closeAfterEach();

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

test('a request body that the failed handler has half read is read on, so that the connection serves the next request', async () => {
  const handle = dynamoTracingErrors();
  const port = await listening(createServer((req, res) => {
    if (req.url === '/works') return void res.end('works');
    req.once('data', () => {
      req.pause();
      handle(new Error('planted'), req, res, () => undefined);
    });
  }).listen(0, '127.0.0.1'));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const req = request({ port, host: '127.0.0.1', agent, method: 'POST' });
    req.end(Buffer.alloc(2 ** 24));
    const [res] = await once(req, 'response') as [IncomingMessage];
    const { localPort } = res.socket;
    expect(res.resume().statusCode).toBe(500);
    expect(await send(port, { agent, path: '/works' })).toMatchObject({ status: 200, body: 'works', localPort });
  } finally {
    agent.destroy();
  }
});

test.each(['/', '/begun'])('a heartbeat of the failed handler that writes after the answer to %s does not end the process', async (path) => {
  const handle = dynamoTracingErrors();
  const late = new Promise((resolve) => {
    void listening(createServer((req, res) => {
      if (req.url === '/begun') res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: a\n\n');
      handle(new Error('planted'), req, res, () => undefined);
      res.write(': ping\n\n', resolve);
    }).listen(0, '127.0.0.1')).then((port) => send(port, { path }));
  });
  expect(await late).toMatchObject({ code: 'ERR_STREAM_WRITE_AFTER_END' });
  await new Promise(setImmediate);
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
    const socket = await open(port);
    socket.write('HEAD /begun HTTP/1.1\r\nhost: x\r\n\r\nHEAD / HTTP/1.1\r\nhost: x\r\n\r\n');
    const [begun, failed] = (await received(socket, 'no-store')).split(/(?=HTTP\/1\.1 500)/);
    socket.destroy();
    expect([begun, failed]).toEqual([expect.stringMatching(/^HTTP\/1\.1 200[^]*\r\n\r\n$/), expect.stringMatching(/^HTTP\/1\.1 500 /)]);
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
    const touched: string[] = [];
    app.get('/before', (_request, reply) => {
      // HTTP/2 has no status message: Node warns of whoever sets one.
      Object.defineProperty(reply.raw, 'statusMessage', { set: () => touched.push('statusMessage') });
      reply.raw.setHeader('content-length', '3');
      throw new Error('planted');
    });
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
    closeLater(() => app.close());
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
    expect(touched).toEqual([]);
  });
});

test('Fastify 4: inject, which has no connection, is answered', async () => {
  const app = fastify4();
  app.setErrorHandler(fastifyErrors());
  app.get('/', () => { throw createError(404, 'text'); });
  for (const method of ['GET', 'HEAD'] as const) expect((await app.inject({ method, url: '/' })).statusCode).toBe(404);
  await app.close();
});

test('a request that is no stream, of a serverless adapter, is answered', async () => {
  const handle = dynamoTracingErrors();
  const port = await listening(createServer((req, res) => {
    Object.defineProperty(res, 'req', { value: { method: 'GET' } });
    handle(new Error('planted'), req, res, () => undefined);
  }).listen(0, '127.0.0.1'));
  expect((await send(port)).status).toBe(500);
});
