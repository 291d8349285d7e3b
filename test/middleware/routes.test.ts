import { describe, expect, test } from '@jest/globals';
import { DEFAULT_ROUTES, genAiOf, reclassified, RouteTable, type RouteClass } from '../../src/middleware/routes.js';
import { dynamoTracing } from 'dynamo-tracing';

const table = new RouteTable();

test.each(DEFAULT_ROUTES.map((entry): [string, string, string] => [entry.method!, entry.path, entry.endpoint!]))('%s %s is %s, at the root and mounted', (method, path, endpoint) => {
  const url = path.replace(/\{[^}]*\}/g, 'x-1');
  expect(table.find(method, url)).toMatchObject({ endpoint, route: path });
  if (/^\/v[12]\//.test(path)) expect(table.find(method, `/llm${url}`)).toMatchObject({ endpoint, route: path });
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

test('of several paths the first one that is in the table decides, before any look behind a mount point', () => {
  const own = new RouteTable([{ path: '/ask/{id}', kind: 'inference', endpoint: 'ask' }, { path: '/llm/ask/{id}', kind: 'inference', endpoint: 'whole' }]);
  expect(own.find('POST', '/ask/7', '/llm/ask/7')).toMatchObject({ endpoint: 'ask' });
  expect(own.find('POST', '/llm/ask/7', '/ask/7')).toMatchObject({ endpoint: 'whole' });
  expect(own.find('POST', '/deep/v1/embeddings', '/ask/7')).toMatchObject({ endpoint: 'ask' });
  expect(own.find('POST', '/other', '/deep/v1/embeddings/')).toMatchObject({ endpoint: 'embeddings' });
});

test('a path of which none is in the table is a mistyped call when one of them is under /v1/', () => {
  expect(table.find('POST', '/v1/chat', '/llm/v1/chat')).toMatchObject({ kind: 'inference', endpoint: 'unknown' });
  expect(table.find('POST', '/chat', '/v1/chat')).toMatchObject({ kind: 'inference', endpoint: 'unknown' });
  expect(table.find('POST', '/chat', '/llm/chat')).toMatchObject({ kind: 'system' });
});

test.each([
  ['/a/{x}', '/a/1', true], ['/a/{x}', '/a/', false], ['/a/{x}', '/a/1/2', false], ['/a/{x}/b', '/a/1/b', true], ['/a/{x}/b', '/a//b', false],
  ['/{x}.json', '/a.json', true], ['/{x}.json', '/.json', false], ['/{x}.json', '/a.jso', false], ['/{x}-{y}', '/a-b', true], ['/{x}-{y}', '/---', true], ['/{x}-{y}', '/--', false],
  ['/p{x}', '/p', false], ['/p{x}', '/q1', false], ['/{a}b{c}b', '/xbyb', true], ['/{a}b{c}b', '/xbb', false], ['/{a}b{c}b', '/bbbb', true], ['/a.b/{x}', '/aXb/1', false],
])('the pattern %s and the path %s: %s', (pattern, path, fits) => {
  expect(new RouteTable([{ path: pattern, kind: 'inference', endpoint: 'own' }]).find('POST', path).endpoint === 'own').toBe(fits);
});

test('a pattern of many names is not tried in every way on a long path', () => {
  const own = new RouteTable([{ path: '/{a}-{b}-{c}-{d}-{e}/x', kind: 'inference', endpoint: 'own' }]);
  // With a regular expression that goes back this takes longer than anyone waits.
  expect(own.find('POST', `/${'-'.repeat(16_000)}/y`)).toMatchObject({ kind: 'system' });
  expect(own.find('POST', '/'.repeat(16_000))).toMatchObject({ kind: 'system' });
});

test.each<[Pick<RouteClass, 'dialect' | 'endpoint'>, string, string]>([
  [{ dialect: 'openai-chat', endpoint: 'chat_completions' }, 'chat', 'openai'],
  [{ dialect: 'anthropic-messages', endpoint: 'anthropic_messages' }, 'chat', 'anthropic'],
  [{ dialect: 'generic', endpoint: 'images' }, 'generate_content', 'openai'],
  [{ dialect: 'generic', endpoint: 'generate' }, 'text_completion', 'openai'],
  [{ dialect: 'generic', endpoint: 'moderations' }, 'moderations', 'openai'],
  [{ dialect: 'generic', endpoint: 'constructor' }, 'constructor', 'openai'],
  [{ dialect: 'openai-embeddings', endpoint: 'images' }, 'embeddings', 'openai'],
])('the operation and provider of %j are %s and %s', (route, operation, provider) => {
  expect(genAiOf(route)).toEqual({ operation, provider });
});

test.each(DEFAULT_ROUTES.filter(({ kind }) => kind === 'inference').map((entry): [string, string] => [entry.method!, entry.path]))('%s %s has an operation and a provider', (method, path) => {
  expect(genAiOf(table.find(method, path.replace(/\{[^}]*\}/g, 'x-1')))).toEqual({ operation: expect.stringMatching(/^[a-z_]+$/), provider: expect.stringMatching(/^(openai|anthropic|cohere)$/) });
});

describe('what classify gives', () => {
  const found: RouteClass = { kind: 'inference', endpoint: 'embeddings', dialect: 'openai-embeddings', route: '/v1/embeddings' };

  test('takes the place of what the table found, and leaves what it does not give', () => {
    expect(reclassified(found, undefined)).toBe(found);
    expect(reclassified(found, { endpoint: 'own', dialect: 'generic' })).toEqual({ ...found, endpoint: 'own', dialect: 'generic' });
    expect(reclassified(found, { kind: undefined, endpoint: undefined } as never)).toEqual(found);
  });

  test.each([
    [{ kind: 'other' }, /^kind must be/], [{ dialect: 'openai' }, /^dialect must be one of openai-chat, /], [{ dialect: 'toString' }, /^dialect/], [{ dialect: null }, /^dialect/],
    [{ endpoint: 7 }, /^endpoint/], [{ route: {} }, /^route/], ['system', /object/], [null, /object/], [Promise.resolve({ kind: 'system' }), /promise/],
  ])('%j is refused with the reason', (given, reason) => {
    expect(() => reclassified(found, given as never)).toThrow(reason);
  });
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
  [{ ignore: async () => true }, 'dynamoTracing.ignore'],
  [{ trustIncoming: async () => true }, 'dynamoTracing.trustIncoming'],
  [{ classify: async () => undefined }, 'dynamoTracing.classify'],
  [{ lifecycleLevel: 'warn' }, 'dynamoTracing.lifecycleLevel'],
  ['text', 'dynamoTracing'],
])('the options %j are refused at start-up with the path %s', (options, path) => {
  expect(() => dynamoTracing(options as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path }));
});
