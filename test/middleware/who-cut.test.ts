/** Requests that this process cuts short: whatever error it gives to whichever stream, it is not the client who left. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { connect, constants, createServer as createHttp2, type ClientHttp2Session, type ClientHttp2Stream, type Http2Server, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import { connect as connectTcp, type AddressInfo, type Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { createServer as createExpressServer, dynamoTracing, type ExpressMiddleware } from 'dynamo-tracing';
import { makeCertificate } from '../support/certificate.js';
import { CHAT, chat, open, rawRequest, received } from '../support/client.js';
import { EXPRESS } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';

/** What an upstream's broken connection looks like: an error of a system call, which is not this connection's. */
const upstreamError = (): Error => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read', errno: -104 });
const INTERNAL = { status: 'error', error_type: 'internal' };

let tap: RecordTap;
beforeEach(() => {
  tap = new RecordTap();
});
afterEach(() => tap.stop());

const ERRORS: readonly [string, () => Error | undefined][] = [['no error', () => undefined], ['an error', () => new Error('planted')], ['the error of an upstream', upstreamError]];
const MOMENTS = ['before the body is whole', 'before the head', 'after the head'];
const casesOf = (cuts: object) => Object.keys(cuts).flatMap((cut) => ERRORS.flatMap(([title, error]) => MOMENTS.map((moment) => [cut, title, moment, error] as const)));

describe('HTTP/1', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  async function listen(made: Server | Express): Promise<number> {
    server = made.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  const CUTS: Record<string, (req: IncomingMessage, res: ServerResponse, error?: Error) => unknown> = {
    'req.destroy': (req, _res, error) => req.destroy(error),
    'res.destroy': (_req, res, error) => res.destroy(error),
    'socket.destroy': (req, _res, error) => req.socket.destroy(error),
  };

  test.each(casesOf(CUTS))('%s with %s %s', async (cut, _title, moment, error) => {
    const middleware = dynamoTracing({ logger: false });
    const port = await listen(createServer((req, res) => middleware(req, res, () => {
      for (const stream of [req, res, req.socket]) stream.on('error', () => undefined);
      if (moment === 'after the head') res.write('x');
      setImmediate(() => CUTS[cut]!(req, res, error()));
    })));
    (await open(port)).write(rawRequest(CHAT, chat(), moment === 'before the body is whole' ? { 'content-length': '1000' } : {}));
    expect(await tap.next('request completed')).toMatchObject(INTERNAL);
  });

  test.each(Object.keys(CUTS).flatMap((cut) => EXPRESS.map(([name, express]) => [cut, name, express] as const)))('%s while a body parser of %s waits for the body, whatever the error handler answers to nobody', async (cut, _name, makeExpress) => {
    const app = makeExpress().use(dynamoTracing({ logger: false }));
    app.use(((req, res, next) => {
      for (const stream of [req, res, req.socket]) stream.on('error', () => undefined);
      next();
      setImmediate(() => CUTS[cut]!(req, res)); // the parser listens by now
    }) as RequestHandler, express.json(), ((_error, _req, res, _next) => {
      res.status(400).end('{}');
    }) as ErrorRequestHandler);
    const port = await listen(app);
    (await open(port)).write(rawRequest(CHAT, chat(), { 'content-length': '1000' }));
    expect(await tap.next('request completed')).toMatchObject(INTERNAL);
  });

  const TIMEOUTS: Record<string, ServerOptions> = {
    requestTimeout: { requestTimeout: 50, headersTimeout: 50, connectionsCheckingInterval: 20 },
    headersTimeout: { requestTimeout: 0, headersTimeout: 50, connectionsCheckingInterval: 20 },
  };
  test.each<[string, (middleware: ExpressMiddleware, options: ServerOptions) => Server]>([
    ['node:http', (middleware, options) => createServer(options, (req, res) => middleware(req, res, () => undefined))],
    ['Express', (middleware, options) => createServer(options, express().use(middleware, express.json()))],
    ['Express through createServer', (middleware, options) => createExpressServer(express().use(middleware, express.json()), options)],
  ])("Node's requestTimeout while a body is on its way (%s)", async (_kind, serve) => {
    const port = await listen(serve(dynamoTracing({ logger: false }), TIMEOUTS['requestTimeout']!));
    (await open(port)).write(rawRequest(CHAT, chat(), { 'content-length': '1000' }));
    expect(await tap.next('request completed')).toMatchObject(INTERNAL);
  });

  test.each(['http', 'https'])('a client that resets its connection is the one who left (%s)', async (protocol) => {
    const middleware = dynamoTracing({ logger: false });
    const listener = (req: IncomingMessage, res: ServerResponse): void => middleware(req, res, () => res.write('begun'));
    const port = await listen(protocol === 'http' ? createServer(listener) : createHttps(makeCertificate(), listener));
    const socket = await open(port);
    const secure = protocol === 'http' ? socket : connectTls({ socket, rejectUnauthorized: false });
    secure.write(rawRequest(CHAT, chat()));
    await received(secure, 'begun');
    socket.resetAndDestroy();
    expect(await tap.next('request completed')).toMatchObject({ status: 'cancelled' });
  });

  test("Node's headersTimeout of a second request on the connection of a stream", async () => {
    const middleware = dynamoTracing({ logger: false });
    const port = await listen(createServer(TIMEOUTS['headersTimeout']!, (req, res) => middleware(req, res, () => res.write('begun'))));
    const socket = await open(port);
    socket.write(rawRequest(CHAT, chat()));
    await received(socket, 'begun');
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost:');
    expect(await tap.next('request completed')).toMatchObject(INTERNAL);
  });

  test("the server's setTimeout", async () => {
    const middleware = dynamoTracing({ logger: false });
    const port = await listen(createServer((req, res) => middleware(req, res, () => res.write('begun'))).setTimeout(30));
    (await open(port)).write(rawRequest(CHAT, chat()));
    expect(await tap.next('request completed')).toMatchObject(INTERNAL);
  });
});

describe('HTTP/2', () => {
  let server: Http2Server | undefined;
  afterEach(() => void server?.close());

  type Leave = (client: ClientHttp2Session, stream: ClientHttp2Stream, socket: Socket) => unknown;
  type Setup = (server: Pick<Http2Server, 'setTimeout'>) => unknown;
  type Cut = (req: Http2ServerRequest, res: Http2ServerResponse, error?: Error) => unknown;
  const connections = new WeakMap<object, Socket>();
  const CUTS: Record<string, Cut> = {
    'res.destroy': (_req, res, error) => (res as unknown as ServerHttp2Stream).destroy(error),
    'stream.destroy': (_req, res, error) => res.stream.destroy(error),
    'session.destroy': (_req, res, error) => res.stream.session!.destroy(error),
    'socket.destroy': (_req, res, error) => connections.get(res.stream.session!)!.destroy(error),
  };
  const OTHER_CUTS: Record<string, Cut> = {
    'stream.close with INTERNAL_ERROR': (_req, res) => res.stream.close(constants.NGHTTP2_INTERNAL_ERROR),
    'stream.close with CANCEL': (_req, res) => res.stream.close(constants.NGHTTP2_CANCEL),
    'a signal that is aborted': (_req, res) => addAbortSignal(AbortSignal.abort(), res.stream),
    'session.destroy with a code': (_req, res) => (res.stream.session as ServerHttp2Session).destroy(constants.NGHTTP2_ENHANCE_YOUR_CALM as never),
    'the time-out of the stream, by the way of the documentation': (_req, res) => res.stream.setTimeout(20, () => res.stream.close(constants.NGHTTP2_CANCEL)),
    'the time-out of the response': (_req, res) => res.setTimeout(20, () => (res as unknown as ServerHttp2Stream).destroy()),
  };

  async function ask(cut: Cut, moment: string, leave?: Leave, setup?: Setup): Promise<Record<string, unknown>> {
    const middleware = dynamoTracing({ logger: false });
    server = createHttp2((req, res) => middleware(req as never, res as never, () => {
      for (const stream of [req, res, res.stream]) (stream as ServerHttp2Stream).on('error', () => undefined);
      if (moment === 'after the head') res.write('x');
      setImmediate(() => cut(req, res));
    }));
    let accepted: Socket | undefined;
    server.prependListener('connection', (socket: Socket) => (accepted = socket));
    server.on('session', (session) => connections.set(session.on('error', () => undefined), accepted!));
    setup?.(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connectTcp((server.address() as AddressInfo).port, '127.0.0.1');
    const client = connect('http://127.0.0.1', { createConnection: () => socket });
    client.on('error', () => undefined);
    const stream = client.request({ ':method': 'POST', ':path': CHAT, 'content-type': 'application/json' });
    stream.on('error', () => undefined).resume();
    if (moment === 'before the body is whole') stream.write('{');
    else stream.end(chat());
    if (leave !== undefined) stream.once('data', () => leave(client, stream, socket));
    try {
      return await tap.next('request completed');
    } finally {
      client.destroy();
    }
  }

  test.each(casesOf(CUTS))('%s with %s %s', async (cut, _title, moment, error) => {
    expect(await ask((req, res) => CUTS[cut]!(req, res, error()), moment)).toMatchObject(INTERNAL);
  });

  test.each(Object.keys(OTHER_CUTS).flatMap((cut) => MOMENTS.map((moment) => [cut, moment] as const)))('%s %s', async (cut, moment) => {
    expect(await ask(OTHER_CUTS[cut]!, moment)).toMatchObject(INTERNAL);
  });

  const TIMEOUTS: Record<string, Setup> = {
    'which Node destroys': (made) => made.setTimeout(30),
    'by a listener that destroys it': (made) => made.setTimeout(30, ((session: ServerHttp2Session) => session.destroy()) as () => void),
    'by a listener that destroys its socket': (made) => made.setTimeout(30, ((session: ServerHttp2Session) => void connections.get(session)!.destroy()) as () => void),
  };
  test.each(Object.keys(TIMEOUTS).flatMap((title) => MOMENTS.map((moment) => [title, moment] as const)))('the time-out of the session, %s %s', async (title, moment) => {
    expect(await ask(() => undefined, moment, undefined, TIMEOUTS[title])).toMatchObject(INTERNAL);
  });

  test.each<[string, Leave]>([
    ['resets its stream', (_client, stream) => stream.close(constants.NGHTTP2_CANCEL)],
    ['resets its stream with another code', (_client, stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR)],
    ['closes its session', (client) => client.destroy()],
    ['closes its session with an error', (client) => client.destroy(new Error('planted'))],
    ['ends its connection without a word', (_client, _stream, socket) => socket.destroy()],
    ['resets its connection', (_client, _stream, socket) => socket.resetAndDestroy()],
  ])('a client that %s is the one who left', async (_title, leave) => {
    expect(await ask(() => undefined, 'after the head', leave)).toMatchObject({ status: 'cancelled' });
  });
});
