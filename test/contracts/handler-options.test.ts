/** Functions of the application that `traceRequests` and `traceFetchHandler` are given beside the middleware's options: `route`, and the handler whose errors are answered. */
import { createServer } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { traceFetchHandler, traceRequests } from 'dynamo-tracing';
import { chat, CHAT, post } from '../support/client.js';
import { RecordTap } from '../support/records.js';
import { listen } from '../support/serving.js';
import type { TestServer } from '../support/frameworks.js';

type Callout = (...args: never[]) => unknown;
const planted = (): never => { throw new Error('planted'); };
const trap = (): unknown => new Proxy(() => undefined, { get: planted });
const ROUTES: Readonly<Record<string, Callout>> = {
  throws: planted,
  'throws nothing': () => { throw undefined; }, // eslint-disable-line @typescript-eslint/only-throw-error
  rejects: () => Promise.reject(new Error('planted')),
  'never settles': () => new Promise(() => undefined),
  'returns a symbol': () => Symbol('nonsense'),
  'returns what throws at each touch': trap,
  'changes its argument': (request: object) => void Object.defineProperty(request, 'mine', { value: 'mutated' }),
};
const THROWN: Readonly<Record<string, () => unknown>> = {
  'an error': () => new Error('planted'),
  nothing: () => undefined,
  'a symbol': () => Symbol('nonsense'),
  'what throws when it is read': () => Object.defineProperties(new Error('x'), { name: { get: planted }, message: { get: planted }, status: { get: planted }, stack: { get: planted } }),
  'what throws at each touch': trap,
};

const rejections: unknown[] = [];
const warnings: string[] = [];
const collectRejection = (reason: unknown): void => void rejections.push(reason);
beforeAll(() => {
  jest.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
  process.on('unhandledRejection', collectRejection);
});
afterAll(() => void process.off('unhandledRejection', collectRejection));

interface Answer {
  readonly status: number;
  readonly text: string;
}
let server: TestServer | undefined;
/** A handler that answers, or throws what `thrown` makes, behind either function. */
const DOORS: Readonly<Record<string, (options: object, thrown?: () => unknown) => Promise<Answer>>> = {
  traceRequests: async (options, thrown) => {
    const traced = traceRequests((_req, res) => {
      if (thrown !== undefined) throw thrown();
      res.setHeader('content-type', 'application/json').end('{}');
    }, { logger: false, ...options });
    server = await listen(createServer((req, res) => traced(req, res)));
    const { status, body } = await post(server.port);
    return { status, text: body };
  },
  traceFetchHandler: async (options, thrown) => {
    const traced = traceFetchHandler(() => {
      if (thrown !== undefined) throw thrown();
      return Response.json({});
    }, { logger: false, ...options });
    const response = await traced(new Request(`http://127.0.0.1${CHAT}`, { method: 'POST', body: chat(), headers: { 'content-type': 'application/json' } }));
    return { status: response.status, text: await response.text() };
  },
};

describe.each(Object.keys(DOORS))('%s', (door) => {
  const tap = new RecordTap();
  afterEach(async () => {
    await server?.close();
    server = undefined;
  });
  afterAll(() => tap.stop());

  test.each(Object.keys(ROUTES))('with a route that %s answers, and has the record of the request', async (behaviour) => {
    const before = tap.of('request completed').length;
    expect(await DOORS[door]!({ route: ROUTES[behaviour] })).toEqual({ status: 200, text: '{}' });
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(tap.of('request completed').slice(before)).toMatchObject([{ fields: { status: 'success' } }]);
    expect(rejections).toEqual([]);
  });

  test.each(Object.keys(THROWN))('with answerErrors answers a handler that throws %s in the shape of the API, and says nothing of it', async (what) => {
    const { status, text } = await DOORS[door]!({ answerErrors: true }, THROWN[what]);
    expect(status).toBe(500);
    expect(JSON.parse(text)).toMatchObject({ error: { message: expect.any(String) } });
    expect(text).not.toContain('planted');
    expect(rejections).toEqual([]);
  });
});

test.each([['traceRequests', traceRequests], ['traceFetchHandler', traceFetchHandler]] as const)('%s refuses an async route at start-up', (name, wrap) => {
  const handler = (): never => { throw new Error('is not called'); };
  for (const route of [async () => Promise.resolve('/x'), 5, null]) expect(() => (wrap as (handler: unknown, options: object) => unknown)(handler, { route })).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID', path: `${name}.route` }));
});

test('a route that failed is reported once', () => {
  expect(warnings.map((text) => text.split(' failed: ')[0])).toEqual(['route']);
});
