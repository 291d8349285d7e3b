import { once } from 'node:events';
import { createServer as createHttp, IncomingMessage, request as requestHttp, ServerResponse, type RequestListener, type Server } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import express5 from 'express';
import express4 from 'express4';
import fastify5 from 'fastify';
import fastify4 from 'fastify4';
import supertest from 'supertest';
import { createSecureServer, createServer } from 'dynamo-tracing';
import { makeCertificate } from '../support/certificate.js';
import { received, send } from '../support/client.js';
import { closeAfterEach, listening } from '../support/listening.js';

type Express = typeof express5;
type Extended = express5.Request & { readonly later?: string };
const EXPRESS: readonly (readonly [string, Express])[] = [['Express 5', express5], ['Express 4', express4]];
/** From V8 13 on (Node 24) there is nothing to gain: the server is Node's own. */
const IS_OWN = Number.parseInt(process.versions.v8, 10) < 13;

const SERVERS: readonly (readonly [string, (app: RequestListener) => Server])[] = [['app.listen', (app) => createHttp(app)], ['createServer', (app) => createServer(app)]];
const listen = (server: Server): Promise<number> => listening(server.listen(0, '127.0.0.1'));

/** `%HaveSameMap` of V8: whether two objects have one hidden class. */
function haveSameMap(): (a: object, b: object) => boolean {
  setFlagsFromString('--allow-natives-syntax');
  try {
    return new Function('a', 'b', 'return %HaveSameMap(a, b)') as (a: object, b: object) => boolean; // eslint-disable-line @typescript-eslint/no-implied-eval -- no other way to ask V8
  } finally {
    setFlagsFromString('--no-allow-natives-syntax');
  }
}

closeAfterEach();

describe.each(EXPRESS)('%s through createServer', (_name, express) => {
  test('has one hidden class for all requests, and one for all responses', async () => {
    const app = express();
    const seen: [express5.Request, express5.Response][] = [];
    app.use(express.json());
    app.post('/', (req, res) => {
      seen.push([req, res]);
      res.json(req.body);
    });
    const port = await listen(createServer(app));
    for (let i = 0; i < 40; i += 1) await send(port, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' });
    const same = haveSameMap();
    const [lastReq, lastRes] = seen[38]!; // the first ones are made while V8 still learns how large they are
    expect(seen.slice(20, 39).filter(([req, res]) => !same(req, lastReq) || !same(res, lastRes))).toHaveLength(0);
  });

  /** What application code can see of request and response. */
  const facts = (req: Extended, res: express5.Response): Record<string, unknown> => ({
    isRequest: req instanceof IncomingMessage,
    isResponse: res instanceof ServerResponse,
    constructors: [req.constructor === IncomingMessage, res.constructor === ServerResponse],
    names: [inspect(req, { depth: 0 }), inspect(res, { depth: 0 })].map((text) => text.slice(0, text.indexOf('{'))),
    own: [Object.getOwnPropertyNames(req), Object.getOwnPropertyNames(res)],
    later: req.later,
    title: req.app.get('title') as unknown,
    apps: [req.app === res.app, req.res === res, res.req === req],
    express: [req.protocol, req.query, req.get('x-given'), req.ip],
    prototypes: [Object.getPrototypeOf(req) === (req.app as express5.Express).request, Object.getPrototypeOf(res) === (req.app as express5.Express).response],
  });

  test('shows handlers, also those of a mounted application, the same request and response as app.listen', async () => {
    const answers: string[] = [];
    for (const [, serve] of SERVERS) {
      const [app, inner] = [express().set('title', 'outer'), express().set('title', 'inner')];
      const seen: unknown[] = [];
      inner.use((req, res, next) => {
        seen.push(facts(req, res));
        next();
      });
      app.use((req, res, next) => {
        seen.push(facts(req, res));
        next();
      });
      app.use('/inner', inner);
      app.use((req, res) => void res.json([...seen, facts(req, res)]));
      const port = await listen(serve(app));
      Object.assign(app.request, { later: 'of the outer application' });
      Object.assign(inner.request, { later: 'of the inner application' });
      answers.push((await send(port, { path: '/inner/x?a=1', headers: { 'x-given': 'yes' } })).body);
    }
    expect(JSON.parse(answers[1]!)).toEqual(JSON.parse(answers[0]!));
    expect((JSON.parse(answers[1]!) as Record<string, unknown>[]).map(({ later, title }) => [later, title])).toEqual(['outer', 'inner', 'outer'].map((name) => [`of the ${name} application`, name]));
  });

  test.each(SERVERS)('that is given a class of its own makes its messages of that, as http.createServer does (%s)', async (name) => {
    class OwnRequest extends IncomingMessage {
      readonly mark = 'request';
    }
    class OwnResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
      readonly mark = 'response';
    }
    const marks = (req: object, res: object): unknown[] => [req, res].map((message) => (message as { mark?: string }).mark);
    for (const options of [{ IncomingMessage: OwnRequest }, { ServerResponse: OwnResponse }, { IncomingMessage: OwnRequest, ServerResponse: OwnResponse }]) {
      const app = express().use((req, res) => void res.json(marks(req, res)));
      const server = name === 'createServer' ? createServer(app, options) : createHttp(options, app);
      const upgraded = once(server, 'upgrade') as Promise<[IncomingMessage, Socket]>;
      const port = await listen(server);
      expect(JSON.parse((await send(port)).body)).toEqual(['IncomingMessage' in options ? 'request' : null, 'ServerResponse' in options ? 'response' : null]);
      requestHttp({ port, host: '127.0.0.1', headers: { connection: 'upgrade', upgrade: 'own' } }).on('error', () => undefined).end();
      const [req, socket] = await upgraded;
      socket.destroy();
      expect(req instanceof OwnRequest).toBe('IncomingMessage' in options);
    }
  });

  test.each(SERVERS)('an upgrade and a CONNECT reach their listeners as requests of Node, to which everything can be assigned (%s)', async (_server, serve) => {
    const server = serve(express().use((_req, res) => void res.end('of the application')));
    const port = await listen(server);
    expect((await send(port, { headers: { connection: 'upgrade', upgrade: 'own' } })).body).toBe('of the application'); // without a listener
    for (const [event, head] of [['upgrade', 'GET /x HTTP/1.1\r\nconnection: upgrade\r\nupgrade: own'], ['connect', 'CONNECT a:1 HTTP/1.1']] as const) {
      server.once(event, (req: IncomingMessage & { query?: unknown }, socket: Socket) => {
        req.query = 'assigned';
        socket.end(`HTTP/1.1 101 OK\r\n\r\n${String(req.query)} ${String(Object.getPrototypeOf(req) === IncomingMessage.prototype)}`);
      });
      const client = connect(port, '127.0.0.1');
      client.write(`${head}\r\nhost: x\r\n\r\n`);
      expect(await received(client, 'true')).toContain('assigned true');
      client.destroy();
    }
  });

  test.each(SERVERS)('a getter that stands in the way of a property of Node changes nothing (%s)', async (_server, serve) => {
    const app = express().use((req, res) => void res.json([req.url, Object.hasOwn(res, 'sendDate')]));
    const port = await listen(serve(app));
    Object.defineProperty(app.request, 'url', { get: () => 'of the getter' });
    Object.defineProperty(app.response, 'sendDate', { get: () => 'of the getter' });
    expect(JSON.parse((await send(port, { path: '/own' })).body)).toEqual(['/own', true]);
  });

  test(`makes requests with ${IS_OWN ? "the application's prototypes" : "Node's own prototypes, which are fast on this Node"}`, async () => {
    const app = express().use((_req, res) => void res.end());
    const server = createServer(app);
    const seen: unknown[] = [];
    server.prependListener('request', (req, res) => seen.push(Object.getPrototypeOf(req), Object.getPrototypeOf(res)));
    await send(await listen(server));
    const expected = IS_OWN ? [app.request, app.response] : [IncomingMessage.prototype, ServerResponse.prototype];
    expect(seen.map((prototype, i) => prototype === expected[i])).toEqual([true, true]);
  });

  test('serves beside app.listen of the same application, and two applications on one server', async () => {
    const [app, other] = ['app', 'other'].map((name) => express().use((req, res) => void res.json([name, Object.getPrototypeOf(req) === (req.app as express5.Express).request]))) as [express5.Express, express5.Express];
    const ports = [await listen(createServer(app)), await listening(app.listen(0, '127.0.0.1'))];
    const server = createServer(app);
    server.removeAllListeners('request').on('request', (req, res) => void (req.headers.host === 'other' ? other : app)(req, res));
    const shared = await listen(server);
    for (const port of [...ports, shared]) expect(JSON.parse((await send(port)).body)).toEqual(['app', true]);
    for (const host of ['other', 'app', 'other']) expect(JSON.parse((await send(shared, { headers: { host } })).body)).toEqual([host, true]);
  });

  test('is served to supertest, and closeAllConnections cuts what is open', async () => {
    const app = express();
    app.get('/whole', (_req, res) => void res.json({ whole: true }));
    app.get('/open', (_req, res) => void res.write('begun'));
    expect((await supertest(createServer(app)).get('/whole')).body).toEqual({ whole: true });
    const server = createServer(app);
    const cut = send(await listen(server), { path: '/open' });
    await once(server, 'request');
    server.closeAllConnections();
    await expect(cut).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test('over TLS, by createSecureServer', async () => {
    const { cert, key } = makeCertificate();
    const app = express().use((req, res) => void res.json([req.secure, req.protocol, Object.getPrototypeOf(req) === app.request]));
    const port = await listen(createSecureServer(app, { cert, key }));
    const [res] = await once(requestHttps({ port, host: '127.0.0.1', ca: cert, agent: false }).end(), 'response') as [IncomingMessage];
    expect(JSON.parse((await res.setEncoding('utf8').toArray()).join(''))).toEqual([true, 'https', true]);
  });
});

test('tells an instrumentation that replaces emit after the server was made of each request', async () => {
  const server = createServer(express5().use((_req, res) => void res.end()));
  const base = Object.getPrototypeOf(Object.getPrototypeOf(server)) as { emit(...args: unknown[]): boolean };
  const { emit } = base;
  const seen: unknown[] = [];
  base.emit = function (this: unknown, ...args) {
    if (this === server) seen.push(args[0]);
    return emit.apply(this, args);
  };
  try {
    await send(await listen(server));
  } finally {
    base.emit = emit;
  }
  expect(seen).toContain('request');
});

describe('any other handler', () => {
  test('is served by the server of http.createServer', async () => {
    const server = createServer((req, res) => void res.end(String([req, res].map((message) => Object.hasOwn(Object.getPrototypeOf(message) as object, 'constructor')))));
    expect(Object.hasOwn(server, 'emit')).toBe(false);
    expect((await send(await listen(server))).body).toBe('true,true');
  });

  test.each([['Fastify 5', fastify5], ['Fastify 4', fastify4 as unknown as typeof fastify5]])('%s as its serverFactory', async (_name, fastify) => {
    const app = fastify({ serverFactory: (handler) => createServer(handler) });
    app.get('/', () => ({ of: 'fastify' }));
    await app.ready();
    expect((await send(await listen(app.server))).body).toBe('{"of":"fastify"}');
  });
});

describe('what cannot be used is refused at start-up', () => {
  const app = express5();
  test.each<[string, () => unknown]>([
    ['createServer.app', () => createServer(fastify5() as never)],
    ['createServer.app', () => createServer({} as never, app as never)],
    ['createServer.options', () => createServer(app, null as never)],
    ['createServer.key', () => createServer(app, { key: '' } as never)],
    ['createServer.SNICallback', () => createServer(app, { SNICallback: () => undefined } as never)],
    ['createServer.http2', () => createServer(app, { http2: true } as never)],
    ['createSecureServer.options', () => createSecureServer(app, undefined as never)],
    ['createSecureServer.allowHTTP1', () => createSecureServer(app, { allowHTTP1: true } as never)],
    ['createSecureServer.ALPNProtocols', () => createSecureServer(app, { ALPNProtocols: ['http/1.1', 'h2'] })],
  ])('%s', (path, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path }));
  });
});
