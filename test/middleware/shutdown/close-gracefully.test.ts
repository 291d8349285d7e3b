import { once } from 'node:events';
import { Agent, createServer as createHttp, request, ServerResponse, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createHttp2, createSecureServer, connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { Agent as HttpsAgent, createServer as createHttps, request as requestHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { trace } from '@opentelemetry/api';
import express from 'express';
import fastify from 'fastify';
import { closeGracefully, createServer, dynamoTracing } from 'dynamo-tracing';
import { dynamoTracing as fastifyTracing } from 'dynamo-tracing/fastify';
import { RequestPlaneClient, RequestPlaneServer } from 'dynamo-tracing/transport';
import { openResponses, openSessions } from '../../../src/middleware/open-responses.js';
import { makeCertificate } from '../../support/certificate.js';
import { CHAT, chat, open, rawRequest, received } from '../../support/client.js';
import { RecordTap } from '../../support/records.js';
import { until } from '../../support/until.js';

const tls = makeCertificate();
const middleware = dynamoTracing({ logger: false });
type Listener = (...args: Parameters<RequestListener>) => void;
const traced = (handler: Listener): Listener => (req, res) => middleware(req, res, () => handler(req, res));

const HTTP1: Record<string, (handler: Listener) => Server | Promise<Server>> = {
  // A connection that is kept alive would stay for ever.
  'node:http': (handler) => createHttp({ keepAliveTimeout: 0 }, traced(handler)),
  'node:https': (handler) => createHttps({ ...tls, keepAliveTimeout: 0 }, traced(handler)),
  Express: (handler) => createHttp({ keepAliveTimeout: 0 }, express().use(middleware).use((req, res) => handler(req, res))),
  'Express through createServer': (handler) => createServer(express().use(middleware).use((req, res) => handler(req, res)), { keepAliveTimeout: 0 }),
  Fastify: async (handler) => {
    const app = fastify({ keepAliveTimeout: 0 });
    await app.register(fastifyTracing, { logger: false });
    app.all('/*', (req, reply) => {
      handler(req.raw, reply.raw);
      return reply.hijack();
    });
    await app.ready();
    return app.server;
  },
};

/** `/begun` writes its head and a piece, `/waiting` nothing, until the server emits `go on`; `/at-once` is answered. */
function handlerOf(serverOf: () => Server, seen: string[] = []): Listener {
  return (req, res) => {
    seen.push(req.url!);
    if (req.url === '/at-once') return void res.end('done');
    if (req.url === CHAT) res.writeHead(200, { 'content-type': 'text/event-stream' });
    if (req.url !== '/waiting') res.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
    serverOf().once('go on', () => res.end('data: [DONE]\n\n'));
  };
}

const started: Server[] = [];
let tap: RecordTap;
beforeEach(() => {
  tap = new RecordTap();
});
afterEach(() => {
  tap.stop();
  for (const server of started.splice(0)) {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  }
});

async function listen(server: Server): Promise<number> {
  started.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const textOf = async (res: IncomingMessage): Promise<string> => (await res.setEncoding('utf8').toArray()).join('');

describe.each(Object.keys(HTTP1))('a server of %s', (kind) => {
  const isTls = kind === 'node:https';
  const options = { keepAlive: true, maxSockets: 1, ca: tls.cert, checkServerIdentity: () => undefined };
  let agent: Agent;
  let seen: string[];
  let server: Server;
  let port: number;
  beforeEach(async () => {
    agent = isTls ? new HttpsAgent(options) : new Agent(options);
    seen = [];
    server = await HTTP1[kind]!(handlerOf(() => server, seen));
    port = await listen(server);
  });
  afterEach(() => agent.destroy());
  const ask = async (path: string): Promise<IncomingMessage> => {
    const req = (isTls ? requestHttps : request)({ agent, port, host: '127.0.0.1', path, method: 'POST', headers: { 'content-type': 'application/json' } });
    const answered = once(req.end(chat()), 'response') as Promise<[IncomingMessage]>;
    return (await answered)[0];
  };

  test('is closed when its streams have ended, and idle connections do not hold it', async () => {
    expect(await textOf(await ask('/at-once'))).toBe('done');
    const res = await ask(CHAT);
    const closed = closeGracefully(server);
    server.emit('go on');
    expect(await textOf(res)).toMatch(/\[DONE\]\n\n$/);
    expect(await closed).toEqual({ completed: 1, cut: 0 });
    expect(await tap.next('request completed')).toMatchObject({ status: 'success' });
    expect([server.listening, openResponses(server), server.listenerCount('request')]).toEqual([false, [], 1]);
  });

  test('an answer that has not begun says `connection: close`', async () => {
    const answer = ask('/waiting');
    await until('the handler', () => seen.length > 0);
    const closed = closeGracefully(server);
    server.emit('go on');
    const res = await answer;
    expect(res.headers.connection).toBe('close');
    expect(await textOf(res)).toMatch(/DONE/);
    expect(await closed).toEqual({ completed: 1, cut: 0 });
  });

  test('cuts what is open at the deadline, and its record says that this process did it', async () => {
    const res = await ask(CHAT);
    expect(await closeGracefully(server, { deadlineMs: 0 })).toEqual({ completed: 0, cut: 1 });
    await expect(textOf(res)).rejects.toThrow('aborted');
    expect(tap.of('request completed').map(({ fields }) => [fields['status'], fields['error_type']])).toEqual([['error', 'internal']]);
    expect(openResponses(server)).toEqual([]);
  });

  test('cuts what is open when the signal is aborted', async () => {
    const res = await ask(CHAT);
    const hurry = new AbortController();
    const closed = closeGracefully(server, { signal: hurry.signal });
    hurry.abort();
    await expect(textOf(res)).rejects.toThrow('aborted');
    expect(await closed).toEqual({ completed: 0, cut: 1 });
  });
});

describe.each(Object.keys(HTTP1).filter((kind) => kind !== 'node:https'))('a late request on a connection to %s that is kept alive', (kind) => {
  test.each([[CHAT, 'error'], ['/health', undefined]])('gets 503 with `connection: close` and a record (%s)', async (path, status) => {
    const seen: string[] = [];
    const server = await HTTP1[kind]!(handlerOf(() => server, seen));
    const socket = await open(await listen(server));
    socket.write(rawRequest('/begun', chat()));
    await received(socket, 'data: ');
    const closed = closeGracefully(server);
    const requested = once(server, 'request');
    socket.write(rawRequest(path, chat()));
    await requested;
    server.emit('go on');
    const answer = await received(socket, 'shutting down');
    expect(answer).toMatch(/HTTP\/1.1 503 [^]*connection: close/i);
    expect(await closed).toEqual({ completed: 1, cut: 0 });
    expect(seen).toEqual(['/begun']);
    expect(tap.of('http response sent').map(({ fields }) => fields['status'])).toEqual([200, 503]);
    expect(tap.of('request completed').map(({ fields }) => [fields['status'], fields['error_type']])).toEqual(status === undefined ? [] : [[status, 'unavailable']]);
  });
});

describe.each(['in plain text', 'with TLS', 'with TLS and HTTP/1 beside it'])('a server of HTTP/2 %s', (kind) => {
  let server: Server;
  let port: number;
  const sessions: ClientHttp2Session[] = [];
  beforeEach(async () => {
    const listener = traced(handlerOf(() => server)) as never;
    server = (kind === 'in plain text' ? createHttp2(listener) : createSecureServer({ ...tls, allowHTTP1: kind !== 'with TLS' }, listener)) as unknown as Server;
    port = await listen(server);
  });
  afterEach(() => sessions.splice(0).forEach((session) => session.destroy()));
  const connect = async (): Promise<ClientHttp2Session> => {
    const session = connectHttp2(`${kind === 'in plain text' ? 'http' : 'https'}://127.0.0.1:${port}`, { ca: tls.cert, checkServerIdentity: () => undefined });
    sessions.push(session.on('error', () => undefined));
    await once(session, 'connect');
    return session;
  };
  const ask = async (session: ClientHttp2Session, path: string): Promise<() => Promise<string>> => {
    const stream = session.request({ ':method': 'POST', ':path': path });
    stream.setEncoding('utf8').on('error', () => undefined).end(chat());
    await once(stream, 'response');
    return async () => `${(await stream.toArray().catch(() => ['cut'])).join('')} ${stream.rstCode}`;
  };

  test('is closed when its streams have ended, with the sessions that are idle', async () => {
    const idle = await connect();
    await (await ask(idle, '/at-once'))();
    const text = await ask(await connect(), CHAT);
    const closed = closeGracefully(server);
    await once(idle, 'close');
    server.emit('go on');
    expect(await text()).toMatch(/\[DONE\]\n\n 0$/);
    expect(await closed).toEqual({ completed: 1, cut: 0 });
    expect(await tap.next('request completed')).toMatchObject({ status: 'success' });
    expect(openSessions(server)).toEqual([]);
  });

  test('cuts what is open at the deadline, and its record says that this process did it', async () => {
    const text = await ask(await connect(), CHAT);
    expect(await closeGracefully(server, { deadlineMs: 0 })).toEqual({ completed: 0, cut: 1 });
    expect(await text()).not.toMatch(/ 0$/);
    expect(tap.of('request completed').map(({ fields }) => [fields['status'], fields['error_type']])).toEqual([['error', 'internal']]);
  });
});

describe('closeGracefully', () => {
  test('lets a slow client read an answer that has been ended to its end', async () => {
    const size = 20_000_000;
    const server = createHttp(traced((_req, res) => void res.end(Buffer.alloc(size))));
    const socket = await open(await listen(server));
    socket.write(rawRequest(CHAT, chat()));
    await once(socket, 'readable');
    const closed = closeGracefully(server);
    let read = 0;
    socket.on('data', (chunk: Buffer) => (read += chunk.length));
    expect(await closed).toEqual({ completed: 1, cut: 0 });
    await once(socket, 'close');
    expect(read).toBeGreaterThan(size);
  });

  test('answers a request that waits behind another on the same connection', async () => {
    const server = createHttp(traced((req, res) => {
      if (req.url === '/first') res.write('begun');
      server.once(req.url!, () => res.end('end'));
    }));
    const socket = await open(await listen(server));
    socket.write(rawRequest('/first', '') + rawRequest('/second', ''));
    await received(socket, 'begun');
    const closed = closeGracefully(server);
    server.emit('/first');
    await received(socket, '0\r\n\r\n');
    server.emit('/second');
    expect(await received(socket, 'end')).toMatch(/connection: close/i);
    expect(await closed).toEqual({ completed: 2, cut: 0 });
  });

  test('cuts a connection that has become another protocol', async () => {
    const server = createHttp();
    const listener = traced(() => undefined);
    server.on('upgrade', (req, socket) => {
      const res = new ServerResponse(req);
      listener(req, res);
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
    });
    const socket = await open(await listen(server));
    socket.write(rawRequest(CHAT, '', { upgrade: 'websocket', connection: 'upgrade' }));
    await received(socket, '101');
    expect(await closeGracefully(server, { deadlineMs: 0 })).toEqual({ completed: 0, cut: 1 });
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'internal' });
    if (!socket.closed) await once(socket, 'close');
  });

  test('resolves for a server that is closed already, that never listened, and twice at once', async () => {
    const server = createHttp();
    const nothing = { completed: 0, cut: 0 };
    expect(await closeGracefully(server)).toEqual(nothing);
    await listen(server);
    expect(await Promise.all([closeGracefully(server), closeGracefully(server)])).toEqual([nothing, nothing]);
    expect(await closeGracefully(server)).toEqual(nothing);
  });

  test('a server that listens again serves again', async () => {
    const server = createHttp({ keepAliveTimeout: 1 }, traced((_req, res) => void res.end('served')));
    await listen(server);
    await closeGracefully(server);
    const socket = await open(await listen(server));
    socket.write(rawRequest(CHAT, chat()));
    expect(await received(socket, 'served')).toMatch(/^HTTP\/1.1 200/);
    socket.destroy();
  });

  test.each([
    ['deadlineMs', [createHttp(), { deadlineMs: -1 }]],
    ['signal', [createHttp(), { signal: true }]],
    ['server', [{}, {}]],
    ['patience', [createHttp(), { patience: 1 }]],
  ])('refuses a wrong %s', async (name, args) => {
    await expect(closeGracefully(...args as Parameters<typeof closeGracefully>)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path: `closeGracefully.${name}` });
  });

  test.each<[string, () => unknown]>([
    ['resolves', () => Promise.resolve()],
    ['rejects', () => Promise.reject(new Error('planted'))],
    ['throws', () => {
      throw new Error('planted');
    }],
  ])('flushes the tracer provider that is registered, also when it %s', async (_title, forceFlush) => {
    let flushes = 0;
    const provider = { getTracer: () => trace.getTracer('none'), forceFlush: () => (flushes += 1, forceFlush()) };
    trace.setGlobalTracerProvider(provider);
    try {
      expect(await closeGracefully(createHttp())).toEqual({ completed: 0, cut: 0 });
      expect(flushes).toBe(1);
    } finally {
      trace.disable();
    }
  });

  test.each([[10_000, { completed: 1, cut: 0 }], [0, { completed: 0, cut: 1 }]])('a worker with a deadline of %d ms', async (deadlineMs, result) => {
    const worker = new RequestPlaneServer({ logger: false });
    await worker.listen();
    const { address } = worker.endpoint('a.b.c', async function * (_request, context) {
      yield 1;
      await once(context.signal, 'abort');
    });
    const client = new RequestPlaneClient({ responseHost: '127.0.0.1', logger: false });
    const stream = client.generate(address, {});
    await stream.next();
    const closed = closeGracefully(worker, { deadlineMs });
    if (deadlineMs > 0) await stream.return?.();
    else await expect(stream.next()).rejects.toThrow();
    expect(await closed).toEqual(result);
    await client.close();
  });
});
