import { expect, test } from '@jest/globals';
import { RouteTable, DEFAULT_ROUTES } from '../../src/middleware/routes.js';
import { dynamoTracing } from 'dynamo-tracing';

const table = new RouteTable();

test.each(DEFAULT_ROUTES.map((entry): [string, string, string] => [entry.method!, entry.path, entry.endpoint!]))('%s %s is %s, at the root and mounted', (method, path, endpoint) => {
  const url = path.replace(/\{[^}]*\}/g, 'x-1');
  expect(table.find(method, url)).toMatchObject({ endpoint, route: path });
  if (path.startsWith('/v1/')) expect(table.find(method, `/llm${url}`)).toMatchObject({ endpoint, route: path });
});

test.each([
  ['POST', '/v1/chat/completion', 'inference', 'unknown'],
  ['GET', '/v1/chat/completions', 'inference', 'unknown'],
  ['POST', '/v1/chat/completions/', 'inference', 'chat_completions'],
  ['OPTIONS', '/v1/chat/completions', 'system', 'system'],
  ['HEAD', '/v1/models', 'system', 'system'],
  ['GET', '/api/v1/users', 'system', 'system'],
  ['GET', '/', 'system', 'system'],
  ['GET', '/v1', 'system', 'system'],
])('%s %s is %s with endpoint %s', (method, path, kind, endpoint) => {
  expect(table.find(method, path)).toMatchObject({ kind, endpoint });
});

test("a user's entry adds a route or replaces a default", () => {
  const own = new RouteTable([{ path: '/ask/{id}', kind: 'inference', endpoint: 'ask' }, { path: '/v1/embeddings', kind: 'system' }]);
  expect(own.find('POST', '/ask/7')).toMatchObject({ kind: 'inference', endpoint: 'ask', route: '/ask/{id}' });
  expect(own.find('POST', '/v1/embeddings')).toMatchObject({ kind: 'system' });
});

test.each([
  [{ nonsense: 1 }, 'dynamoTracing.nonsense'],
  [{ routes: 'x' }, 'dynamoTracing.routes'],
  [{ routes: [{ path: 'x', kind: 'system' }] }, 'dynamoTracing.routes[0].path'],
  [{ routes: [{ path: '/x', kind: 'other' }] }, 'dynamoTracing.routes[0].kind'],
  [{ routes: [{ path: '/x', kind: 'system', wrong: 1 }] }, 'dynamoTracing.routes[0].wrong'],
  [{ routes: [{ path: '/x', kind: 'system', dialect: 'toString' }] }, 'dynamoTracing.routes[0].dialect'],
  [{ onInvalidRequestId: 'explode' }, 'dynamoTracing.onInvalidRequestId'],
  [{ trustIncoming: 'yes' }, 'dynamoTracing.trustIncoming'],
  [{ logger: {} }, 'dynamoTracing.logger'],
  [{ ignore: [1] }, 'dynamoTracing.ignore'],
  [{ lifecycleLevel: 'warn' }, 'dynamoTracing.lifecycleLevel'],
  ['text', 'dynamoTracing'],
])('the options %j are refused at start-up with the path %s', (options, path) => {
  expect(() => dynamoTracing(options as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path }));
});
