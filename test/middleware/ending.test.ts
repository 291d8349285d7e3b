import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect as connectHttp2, constants, createServer as createHttp2 } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { request as httpsRequest } from 'node:https';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fastify from 'fastify';
import { dynamoTracing } from 'dynamo-tracing';
import { dynamoTracing as fastifyTracing } from 'dynamo-tracing/fastify';
import { openResponses } from '../../src/middleware/open-responses.js';
import { CHAT, chat, open, rawRequest, received } from '../support/client.js';
import { RecordTap } from '../support/records.js';
import { makeCertificate } from '../support/certificate.js';

describe('who ended a response', () => {
  let tap: RecordTap;
  let server: Server | undefined;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(() => {
    tap.stop();
    server?.closeAllConnections();
    server?.close();
  });

  async function serve(handler: (req: IncomingMessage, res: ServerResponse) => void): Promise<number> {
    const middleware = dynamoTracing({ logger: false });
    server = createServer((req, res) => middleware(req, res, () => handler(req, res))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  test('a client that has left before the middleware is reached is recorded as cancelled', async () => {
    const middleware = dynamoTracing({ logger: false });
    server = createServer((req, res) => void once(res, 'close').then(() => middleware(req, res, () => res.end('{}')))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = await open((server.address() as AddressInfo).port);
    socket.write(rawRequest(CHAT, chat()));
    await once(server, 'request');
    socket.destroy();
    expect(await tap.next('request completed')).toMatchObject({ status: 'cancelled', error_type: 'cancelled' });
    expect(openResponses()).toEqual([]);
  });

  test('a request whose socket has been taken off, as undici does with a body, ends as what it was', async () => {
    const port = await serve((req, res) => {
      req.resume().on('end', () => {
        (req as { socket: unknown }).socket = null;
        res.end('{}');
      });
    });
    const socket = await open(port);
    socket.write(rawRequest(CHAT, chat()));
    await received(socket, '{}');
    expect(await tap.next('request completed')).toMatchObject({ status: 'success', model: 'm' });
    socket.destroy();
  });

  test.each([['/v1/chat/completions'], ['/health']])('the signal of %s is aborted by a cut response and not by a whole one', async (path) => {
    const signals: AbortSignal[] = [];
    const port = await serve((req, res) => {
      signals.push((req as unknown as { trace: { signal: AbortSignal } }).trace.signal);
      if (signals.length === 1) res.end('whole');
      else res.write('begun');
    });
    for (const part of ['whole', 'begun']) {
      const socket = await open(port);
      socket.write(rawRequest(path, chat()));
      await received(socket, part);
      socket.destroy();
    }
    if (!signals[1]!.aborted) await once(signals[1]!, 'abort');
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true]);
  });
});

test('over HTTP/2 a client that resets its stream while it sends its body is recorded as cancelled, though the answer has gone out whole', async () => {
  const tap = new RecordTap();
  const middleware = dynamoTracing({ logger: false });
  const server = createHttp2((req, res) => middleware(req as never, res as never, () => {
    req.resume();
    res.end('{}');
  })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const stream = session.request({ ':method': 'POST', ':path': CHAT });
  stream.write('{"model":"m"');
  stream.resume().on('error', () => undefined);
  await once(stream, 'end');
  stream.close(constants.NGHTTP2_CANCEL);
  expect(await tap.next('request completed')).toMatchObject({ status: 'cancelled' });
  session.destroy();
  server.close();
  tap.stop();
});

describe('Fastify over HTTP/2 with TLS, and HTTP/1.1 beside it', () => {
  test('each protocol has its success and its cancelled stream', async () => {
    const tap = new RecordTap();
    const { cert, key } = makeCertificate();
    const app = fastify({ http2: true, https: { allowHTTP1: true, cert, key } });
    await app.register(fastifyTracing, { logger: false });
    app.post(CHAT, (request, reply) => {
      if (request.headers['x-leave'] === undefined) return reply.send({ id: 'r', choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } });
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
      reply.raw.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
      return reply.hijack();
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = app.server.address() as AddressInfo;
    const statuses = async (n: number): Promise<unknown[]> => (await tap.next('request completed', n), tap.of('request completed').map(({ fields }) => fields['status']));
    const headers = { 'content-type': 'application/json' };

    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: cert, checkServerIdentity: () => undefined });
    const whole = session.request({ ':method': 'POST', ':path': CHAT, ...headers }).end(chat());
    whole.resume();
    await once(whole, 'end');
    expect(await statuses(1)).toEqual(['success']);
    const left = session.request({ ':method': 'POST', ':path': CHAT, ...headers, 'x-leave': '1' }).end(chat());
    await once(left, 'data');
    left.on('error', () => undefined).close(constants.NGHTTP2_CANCEL);
    expect(await statuses(2)).toEqual(['success', 'cancelled']);
    session.destroy();

    for (const leave of [{}, { 'x-leave': '1' }]) {
      const req = httpsRequest({ port, host: '127.0.0.1', method: 'POST', path: CHAT, ca: cert, checkServerIdentity: () => undefined, agent: false, headers: { ...headers, ...leave } });
      req.on('error', () => undefined).end(chat());
      const [res] = await once(req, 'response') as [IncomingMessage];
      await once(res, 'data');
      if ('x-leave' in leave) req.destroy();
      else res.resume();
    }
    expect(await statuses(4)).toEqual(['success', 'cancelled', 'success', 'cancelled']);
    tap.stop();
    await app.close();
  });
});
