/** Handlers of upgraded connections that fail: their response has switched protocols, and no status line will tell of it. */
import { createServer, ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import express5 from 'express';
import express4 from 'express4';
import { dynamoTracing, dynamoTracingErrors } from 'dynamo-tracing';
import { open, rawRequest, received } from '../support/client.js';
import { closeAfterEach, listening } from '../support/listening.js';
import { RecordTap } from '../support/records.js';

const REALTIME = '/v1/realtime';
const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n';
/** A close frame of a WebSocket, 1000. */
const CLOSE = Buffer.from([0x88, 2, 3, 0xe8]);
const planted = (facts: object = {}): never => { throw Object.assign(new Error('planted'), facts); };

/** As express-ws does: the protocol is switched first, then the application is asked, and closes the WebSocket where it answers an error. */
function likeExpressWs(app: express5.Express): (req: IncomingMessage, socket: Socket) => void {
  return (req, socket) => {
    socket.write(SWITCH);
    // A WebSocket is closed once, however often it is asked; since Node 24 a socket that is ended with data again fails.
    const close = (): void => {
      if (!socket.writableEnded) socket.end(CLOSE);
    };
    Object.assign(req, { ws: { close } });
    const res = new ServerResponse(req);
    res.writeHead = function (this: ServerResponse, status: number) {
      if (status > 200) close();
      return this;
    };
    app(req as never, res as never);
  };
}

/** As a server that hands upgrades to the application: a failure leaves the WebSocket open until the client closes it. */
function handedOn(app: express5.Express): (req: IncomingMessage, socket: Socket) => void {
  return (req, socket) => {
    socket.write(SWITCH);
    socket.on('end', () => socket.end(CLOSE));
    app(Object.assign(req, { ws: {} }) as never, new ServerResponse(req) as never);
  };
}

describe.each([['Express 5', express5], ['Express 4', express4]] as const)('%s', (_name, express) => {
  let tap: RecordTap;
  closeAfterEach();
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(() => tap.stop());

  const completed = async (way: typeof handedOn, handler: express5.RequestHandler, errors?: express5.ErrorRequestHandler): Promise<Record<string, unknown>> => {
    const app = express().set('env', 'test').use(dynamoTracing({ logger: false })).get(REALTIME, handler);
    if (errors !== undefined) app.use(errors, ((_error, _req, _res, _next) => undefined) as express5.ErrorRequestHandler);
    const server = createServer().on('upgrade', way(app));
    const socket = await open(await listening(server.listen(0, '127.0.0.1')));
    socket.write(rawRequest(REALTIME, '', { upgrade: 'websocket', connection: 'upgrade' }).replace('POST', 'GET'));
    await received(socket, '101');
    if (way === handedOn) await tap.until(() => tap.of('request failed').length === 1, 'the failure').then(() => socket.end());
    socket.on('end', () => socket.end()).resume();
    return tap.next('request completed');
  };

  test.each<[string, express5.RequestHandler, express5.ErrorRequestHandler | undefined, object]>([
    ['throws', () => planted(), undefined, { status: 'error', error_type: 'internal' }],
    ['throws what its own error handler answers', () => planted(), ((_error, _req, res, _next) => void res.status(503).end()) as express5.ErrorRequestHandler, { status: 'error', error_type: 'unavailable' }],
    ['throws what dynamoTracingErrors answers', () => planted(), dynamoTracingErrors() as express5.ErrorRequestHandler, { status: 'error', error_type: 'internal' }],
    ['throws an error of the client', () => planted({ status: 404 }), undefined, { status: 'error', error_type: 'not_found' }],
    ['is not there', (_req, _res, next) => next(), undefined, { status: 'error', error_type: 'not_found' }],
    ['closes', (req) => (req as unknown as { ws: { close(): void } }).ws.close(), undefined, { status: 'success' }],
  ])('a handler of express-ws that %s', async (_title, handler, errors, expected) => {
    expect(await completed(likeExpressWs, handler, errors)).toMatchObject(expected);
    expect(tap.of('request completed')).toHaveLength(1);
  });

  test('a handler that throws and whose WebSocket the client closes', async () => {
    expect(await completed(handedOn, () => planted(), dynamoTracingErrors({ answer: false }) as express5.ErrorRequestHandler)).toMatchObject({ status: 'error', error_type: 'internal' });
  });
});
