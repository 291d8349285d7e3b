import type { RequestHandler, Router } from 'express';
import type express5 from 'express';
import { describe, expect, test } from '@jest/globals';
import { expressRoute } from '../../src/middleware/express-route.js';
import { send } from '../support/client.js';
import { EXPRESS } from '../support/frameworks.js';
import { closeAfterEach, listening } from '../support/listening.js';

type Express = typeof express5;
const tell: RequestHandler = (req, res) => void res.json(expressRoute(req) ?? null);
const routed = (express: Express, path: string | string[] | RegExp): Router => express.Router().get(path as string, tell);

/** What is built, the path that is asked for, the route that it has. */
const CASES: readonly (readonly [string, (express: Express) => express5.Express, string, string | null])[] = [
  ['a plain route', (express) => express().get('/plain', tell), '/plain?q=1', '/plain'],
  ['a route with parameters', (express) => express().get('/a/:x/b/:y', tell), '/a/1/b/2', '/a/:x/b/:y'],
  ['the root', (express) => express().get('/', tell), '/', '/'],
  ['a mounted router', (express) => express().use('/api', routed(express, '/chat')), '/api/chat', '/api/chat'],
  ['the root of a mounted router', (express) => express().use('/api', routed(express, '/')), '/api', '/api'],
  ['a mount point with parameters', (express) => express().use('/t/:tenant', routed(express, '/chat/:id')), '/t/acme/chat/7', '/t/:tenant/chat/:id'],
  ['routers in routers', (express) => express().use('/a/:x', express.Router().use('/b/:y', routed(express, '/c'))), '/a/1/b/2/c', '/a/:x/b/:y/c'],
  ['a router that is mounted without a path', (express) => express().use(express.Router().use('/v/:n', express.Router().use(routed(express, '/c')))), '/v/1/c', '/v/:n/c'],
  ['a router that is mounted on the root', (express) => express().use('/', routed(express, '/c')), '/c', '/c'],
  ['several paths of a route', (express) => express().use('/m', routed(express, ['/one', '/two'])), '/m/two', '/m/two'],
  ['several mount points', (express) => express().use(['/m1', '/m2'], routed(express, '/c')), '/m2/c', '/m2/c'],
  ['a regular expression', (express) => express().get(/^\/re/, tell), '/re', null],
  ['a regular expression below a mount point', (express) => express().use('/m', routed(express, /^\/re/)), '/m/re', null],
  ['a percent-encoded value', (express) => express().use('/t/:tenant', routed(express, '/c')), '/t/a%20b%2Fc/c', '/t/:tenant/c'],
  ['two routers on mount points of the same shape', (express) => express().use('/t/:a', routed(express, '/one')).use('/t/:b', routed(express, '/two')), '/t/1/two', '/t/:b/two'],
  ['a value that is equal to a segment before it', (express) => express().use('/api/x/:v', routed(express, '/c')), '/api/x/y/c', '/api/x/:v/c'],
  ['nothing', (express) => express().use(tell), '/none', null],
];

describe.each(EXPRESS)('the route on %s', (_name, express) => {
  closeAfterEach();

  test.each(CASES)('of %s', async (_what, build, path, route) => {
    const port = await listening(build(express).listen(0, '127.0.0.1'));
    expect(JSON.parse((await send(port, { path })).body)).toBe(route);
  });

  test('below a mounted application is not known, because it hides its mount point', async () => {
    const inner = express().get('/chat/:id', tell);
    const port = await listening(express().use('/sub/:x', inner).listen(0, '127.0.0.1'));
    expect(JSON.parse((await send(port, { path: '/sub/1/chat/2' })).body)).toBeNull();
  });
});
