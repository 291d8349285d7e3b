import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { context } from '@opentelemetry/api';
import express from 'express';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import http, { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import request from 'supertest';
import { tracedFetch, dynamoTracing } from 'dynamo-tracing';
import { faults, startHarness, type Fault, type Harness, type HarnessProxy } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { CHAT, TRACEPARENT } from './support/app';
import { until } from '../support/until.js';

let harness: Harness;
let proxy: HarnessProxy;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness.close());

/** A proxy named `engine` in front of a server that is no part of the harness. */
async function before(listener: RequestListener, path = ''): Promise<void> {
  const server = harness.own('target', createServer(listener).listen(0, '127.0.0.1'));
  await once(server, 'listening');
  proxy = await harness.proxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, 'engine');
}

function send(method: string, path = '/', headers: http.OutgoingHttpHeaders = {}): http.ClientRequest {
  return http.request(proxy.url + path, { method, headers, agent: false });
}

async function answerTo(req: http.ClientRequest): Promise<IncomingMessage> {
  return (await once(req, 'response') as [IncomingMessage])[0];
}

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => 'none', (error: unknown) => (error as { code: string }).code);
}

describe('the hop through a proxy', () => {
  const gateway = (headers: () => Record<string, string>): express.Express => {
    const app = express();
    app.use(dynamoTracing({ logger: false }));
    app.post(CHAT, async (_req, res) => void res.json(await (await tracedFetch(`${proxy.url}/v1/x`, { headers: headers() })).json()));
    return app;
  };
  let count = 0;
  const chat = (app: express.Express) => request(app).post(CHAT).set('traceparent', TRACEPARENT.replace('4bf92f', `4bf92${count}`)).set('tracestate', 'vendor=1').set('x-request-id', `order-${count++}`);

  it('is audited as any other, headers that a fault drops are named', async () => {
    await before((_req, res) => res.end('{}'));
    const res = await chat(gateway(() => ({})));
    expect(harness).toHavePropagated(res);
    expect(harness.audit(res).hops.map(({ name, kind }) => [name, kind])).toEqual([['client → gateway', 'http'], ['gateway → engine', 'upstream']]);
    proxy.inject(faults.dropHeaders('Traceparent', 'x-request-id'), { times: 1 });
    const lost = await chat(gateway(() => ({})));
    expect(harness.audit(lost).problems.map(({ hop, header, cause }) => [hop, header, cause])).toEqual([['gateway → engine', 'traceparent', 'lost on the way (drop Traceparent, x-request-id)'], ['gateway → engine', 'x-request-id', 'lost on the way (drop Traceparent, x-request-id)']]);
    proxy.inject(faults.dropHeaders());
    const none = await chat(gateway(() => ({ 'x-other': 'stays' })));
    expect(harness.audit(none).problems.map(({ header }) => header)).toEqual(['traceparent', 'tracestate', 'x-request-id', 'request-id']);
    expect(proxy.requests[2]?.received).toMatchObject({ 'x-other': ['stays'] });
  });

  it('belongs to the request whose handler called, also when it carries nothing', async () => {
    await before((_req, res) => res.end('{}'));
    const app = express().get('/', async (_req, res) => void res.json(await (await fetch(proxy.url)).json()));
    const responses = await Promise.all(['a', 'b'].map((id) => request(app).get('/').set('x-request-id', id)));
    expect(responses.map((res) => harness.audit(res).problems.map(({ hop, expected }) => [hop, expected]))).toEqual([[['gateway → engine', 'a']], [['gateway → engine', 'b']]]);
  });
});

describe('a proxy', () => {
  it('changes nothing but the host: method, path, status, repeated headers, bodies and trailers', async () => {
    let seen: IncomingMessage | undefined;
    let body = '';
    await before((req, res) => void (async () => {
      seen = req;
      body = await textOf(req);
      res.writeHead(418, 'Teapot', ['Set-Cookie', 'a=1', 'X-Two', '1', 'set-cookie', 'b=2', 'X-Two', '2', 'Trailer', 'X-End', 'Connection', 'x-hop', 'X-Hop', 'mine']);
      res.write('answer');
      res.addTrailers({ 'X-End': 'yes' });
      res.end();
    })(), '/base/');
    const req = send('PUT', '/v1/a%20b?q=1&q=2', { 'X-Req': ['1', '2'], cookie: 'c=3', expect: '100-continue', connection: 'x-mine', 'x-mine': 'gone' });
    req.end('question');
    const res = await answerTo(req);
    expect([res.statusCode, res.statusMessage, await textOf(res), res.headersDistinct['set-cookie'], res.headersDistinct['x-two'], res.headers['x-hop'], res.trailers]).toEqual([418, 'Teapot', 'answer', ['a=1', 'b=2'], ['1', '2'], undefined, { 'x-end': 'yes' }]);
    expect(res.headers).not.toHaveProperty('transfer-encoding', 'identity');
    expect([seen?.method, seen?.url, seen?.headersDistinct['x-req'], seen?.headers.cookie, seen?.headers['x-mine'], seen?.headers.expect, body]).toEqual(['PUT', '/base/v1/a%20b?q=1&q=2', ['1', '2'], 'c=3', undefined, undefined, 'question']);
    expect(seen?.headers.host).not.toBe(new URL(proxy.url).host);
    expect(proxy.requests[0]).toMatchObject({ index: 0, method: 'PUT', url: '/v1/a%20b?q=1&q=2', status: 418, error: undefined, faults: [], sent: { 'x-req': ['1', '2'] }, received: { 'x-req': ['1', '2'] } });
  });

  it.each(['GET', 'HEAD', 'DELETE', 'POST'])('sends a %s without a body as one without a body', async (method) => {
    let headers: http.IncomingHttpHeaders = {};
    await before((req, res) => {
      ({ headers } = req);
      res.writeHead(method === 'DELETE' ? 204 : 200, method === 'DELETE' ? {} : { 'content-length': '2' }).end(method === 'DELETE' ? undefined : 'ok');
    });
    const req = send(method);
    req.end();
    const res = await answerTo(req);
    expect(await textOf(res)).toBe(['HEAD', 'DELETE'].includes(method) ? '' : 'ok');
    expect(headers).not.toHaveProperty('transfer-encoding');
  });

  it('streams both ways: each part arrives before the next is sent', async () => {
    await before((req, res) => {
      res.writeHead(200);
      res.flushHeaders();
      req.on('data', (chunk) => res.write(`got ${String(chunk)}`));
      req.on('end', () => res.end());
    });
    const req = send('POST');
    req.write('one');
    const res = await answerTo(req);
    expect(String((await once(res, 'data'))[0])).toBe('got one');
    req.write('two');
    expect(String((await once(res, 'data'))[0])).toBe('got two');
    req.end();
    await once(res, 'end');
  });

  it('holds back a sender that is faster than its reader, both ways', async () => {
    let target: { req: IncomingMessage; res: ServerResponse } | undefined;
    await before((req, res) => void (target = { req, res }));
    const req = send('POST');
    const part = Buffer.alloc(1024 * 1024);
    let parts = 0;
    while (parts < 64 && req.write(part)) parts += 1;
    await until('the request has come', () => target !== undefined);
    for (; parts < 64 && !req.writableNeedDrain; parts += 1) req.write(part);
    expect(req.writableNeedDrain).toBe(true);
    const read = once(target!.req.resume(), 'end');
    await once(req, 'drain');
    req.end();
    await read;
    for (parts = 0; parts < 64 && target!.res.write(part); parts += 1);
    const res = await answerTo(req);
    for (; parts < 64 && !target!.res.writableNeedDrain; parts += 1) target!.res.write(part);
    expect(target!.res.writableNeedDrain).toBe(true);
    res.resume();
    await once(target!.res, 'drain');
    target!.res.end();
    await once(res, 'end');
  });

  it('breaks off towards the target when the client leaves', async () => {
    const seen: string[] = [];
    await before((req, res) => {
      res.write('begun');
      req.on('error', () => seen.push('request'));
      res.on('close', () => seen.push(res.writableFinished ? 'finished' : 'broken'));
    });
    for (const ended of [true, false]) {
      const req = send('POST').on('error', () => undefined);
      req.write('part');
      if (ended) req.end();
      const res = await answerTo(req);
      await once(res, 'data');
      req.destroy();
      await until('the target is told', () => seen.includes('broken'));
      seen.length = 0;
    }
  });

  it('breaks off towards the client when the target breaks off or cannot be reached', async () => {
    await before((req, res) => {
      if (req.url === '/late') res.write('begun', () => res.destroy());
      else req.socket.resetAndDestroy();
    });
    const late = send('GET', '/late');
    late.end();
    expect(await codeOf(textOf(await answerTo(late)))).toBe('ECONNRESET');
    expect(await codeOf(answerTo(send('GET').end()))).toBe('ECONNRESET');
    const nowhere = await harness.proxy('http://127.0.0.1:1');
    expect(await codeOf(once(http.get(nowhere.url, { agent: false }), 'response'))).toBe('ECONNRESET');
    expect([proxy.requests[1]?.error, nowhere.requests[0]?.error, nowhere.name]).toEqual(['ECONNRESET', 'ECONNREFUSED', '127.0.0.1:1']);
  });

  it('gives an early answer on although the request goes on', async () => {
    await before((req, res) => {
      res.writeHead(413, { connection: 'close' }).end('too large');
      req.socket.on('error', () => undefined);
    });
    const req = send('POST').on('error', () => undefined);
    req.write('part');
    const res = await answerTo(req);
    expect([res.statusCode, await textOf(res)]).toEqual([413, 'too large']);
    req.end();
  });

  it('keeps instrumentation from tracing what it sends', async () => {
    await before((_req, res) => res.end());
    const suppressed: unknown[] = [];
    // Instrumentation decides when request() is called: so is the socket of a request that has a connection of its own.
    const note = (): void => void suppressed.push(context.active().getValue(Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING')));
    subscribe('net.client.socket', note);
    try {
      const req = send('GET');
      req.end();
      (await answerTo(req)).resume();
    } finally {
      unsubscribe('net.client.socket', note);
    }
    expect(suppressed).toEqual([undefined, true]);
  });

  it('refuses what is no http URL', async () => {
    await expect(harness.proxy('localhost:8000')).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path: 'proxy.target' });
  });
});

describe('faults of a proxy', () => {
  let reached = 0;
  beforeEach(async () => {
    reached = 0;
    await before((req, res) => {
      reached += 1;
      req.resume().on('end', () => res.writeHead(200, { 'content-length': '10' }).end('0123456789'));
    });
  });

  /** What a client sees: status, body, and the code of what went wrong. */
  async function get(): Promise<[number | undefined, string, string]> {
    const req = send('POST');
    req.end('question');
    let [status, text]: [number | undefined, string] = [undefined, ''];
    const code = await codeOf((async () => {
      const res = await answerTo(req);
      status = res.statusCode;
      for await (const chunk of res) text += String(chunk);
    })());
    return [status, text, code];
  }

  it.each<[string, Fault, [number | undefined, string, string], number]>([
    ['delay of the request', faults.delay(5), [200, '0123456789', 'none'], 1],
    ['delay of the response', faults.delay(5, 'response'), [200, '0123456789', 'none'], 1],
    ['a response cut after four bytes', faults.truncate(4, 'response'), [200, '0123', 'ECONNRESET'], 1],
    ['a response cut after its head', faults.truncate(0, 'response'), [200, '', 'ECONNRESET'], 1],
    ['a response shorter than the cut', faults.truncate(11, 'response'), [200, '0123456789', 'none'], 1],
    ['a status', faults.status(503), [503, '{"error":{"message":"the harness answers 503","type":"harness","code":503}}', 'none'], 0],
    ['a connection that breaks', faults.disconnect('beforeAck'), [undefined, '', 'ECONNRESET'], 0],
    ['altered headers', faults.alterHeaders({ 'X-Extra': '1' }), [200, '0123456789', 'none'], 1],
  ])('%s', async (_name, fault, expected, times) => {
    const injected = proxy.inject(fault, { times: 1 });
    expect(await get()).toEqual(expected);
    expect([reached, injected.hits, proxy.requests[0]?.faults]).toEqual([times, 1, [fault.name]]);
    expect(proxy.requests[0]?.received?.['x-extra']).toEqual(fault.kind === 'headers' ? ['1'] : undefined);
    expect(await get()).toEqual([200, '0123456789', 'none']);
  });

  it('never answers, until heal()', async () => {
    proxy.inject(faults.hang());
    let answered = false;
    const answer = get().finally(() => (answered = true));
    await until('the request hangs', () => proxy.requests.length === 1);
    expect([answered, reached, proxy.requests[0]?.received]).toEqual([false, 0, undefined]);
    proxy.heal();
    expect(await answer).toEqual([200, '0123456789', 'none']);
  });

  it('refuses connections and takes them again at the same address', async () => {
    proxy.refuseConnections();
    expect(await get()).toEqual([undefined, '', 'ECONNREFUSED']);
    await proxy.restart();
    expect(await get()).toEqual([200, '0123456789', 'none']);
    proxy.refuseConnections();
  });

  it('are those that HTTP can have', async () => {
    for (const fault of [faults.overload(), faults.truncate(4), faults.mergeChunks(), faults.crash('beforeAck'), faults.hang({ afterTokens: 2 })]) expect(() => proxy.inject(fault)).toThrow(/a fault of HTTP/);
    expect(() => faults.status(600)).toThrow('faults.status');
    const worker = await harness.worker('dynamo.backend.generate');
    expect(() => worker.inject(faults.status(503))).toThrow('a fault of a worker link');
  });
});
