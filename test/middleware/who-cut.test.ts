/** Requests that this process cuts short: whatever error it gives to whichever stream, it is not the client who left. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { connect, createServer as createHttp2, type Http2Server, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import { createServer as createExpressServer, dynamoTracing, type ExpressMiddleware } from 'dynamo-tracing';
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

// Not for a socket or a session: the system's own error on it looks the same.
const ERRORS: readonly [string, () => Error | undefined][] = [['no error', () => undefined], ['an error', () => new Error('planted')], ['the error of an upstream', upstreamError]];
const errorsOf = (cut: string): typeof ERRORS => (/^(socket|session)/.test(cut) ? ERRORS.slice(0, 2) : ERRORS);

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
  const cases = Object.keys(CUTS).flatMap((cut) => errorsOf(cut).flatMap(([title, error]) => ['before the body is whole', 'before the head', 'after the head'].map((moment) => [cut, title, moment, error] as const)));

  test.each(cases)('%s with %s %s', async (cut, _title, moment, error) => {
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
      setTimeout(() => CUTS[cut]!(req, res), 20);
      next();
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

  type Cut = (req: Http2ServerRequest, res: Http2ServerResponse, error?: Error) => unknown;
  const CUTS: Record<string, Cut> = {
    'res.destroy': (_req, res, error) => (res as unknown as ServerHttp2Stream).destroy(error),
    'stream.destroy': (_req, res, error) => res.stream.destroy(error),
    'session.destroy': (_req, res, error) => res.stream.session!.destroy(error),
  };
  async function ask(cut: (req: Http2ServerRequest, res: Http2ServerResponse) => unknown, moment: string, leave?: (socket: ReturnType<typeof connect>) => void): Promise<Record<string, unknown>> {
    const middleware = dynamoTracing({ logger: false });
    server = createHttp2((req, res) => middleware(req as never, res as never, () => {
      for (const stream of [req, res, res.stream]) (stream as ServerHttp2Stream).on('error', () => undefined);
      if (moment === 'after the head') res.write('x');
      setImmediate(() => cut(req, res));
    }));
    server.on('session', (session) => session.on('error', () => undefined));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    client.on('error', () => undefined);
    const stream = client.request({ ':method': 'POST', ':path': CHAT, 'content-type': 'application/json' });
    stream.on('error', () => undefined).resume();
    if (moment === 'before the body is whole') stream.write('{');
    else stream.end(chat());
    if (leave !== undefined) stream.once('data', () => leave(client));
    try {
      return await tap.next('request completed');
    } finally {
      client.destroy();
    }
  }
  const cases = Object.keys(CUTS).flatMap((cut) => errorsOf(cut).flatMap(([title, error]) => ['before the body is whole', 'before the head', 'after the head'].map((moment) => [cut, title, moment, error] as const)));

  test.each(cases)('%s with %s %s', async (cut, _title, moment, error) => {
    expect(await ask((req, res) => CUTS[cut]!(req, res, error()), moment)).toMatchObject(INTERNAL);
  });

  test.each<[string, (client: ReturnType<typeof connect>) => void]>([
    ['closes its session', (client) => client.destroy()],
    ['resets its connection', (client) => (client.socket).resetAndDestroy()],
  ])('a client that %s is the one who left', async (_title, leave) => {
    expect(await ask(() => undefined, 'after the head', leave)).toMatchObject({ status: 'cancelled' });
  });
});
