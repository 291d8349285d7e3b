import type { Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type express5 from 'express';
import fastify5 from 'fastify';
import fastify4 from 'fastify4';
import { dynamoTracing, dynamoTracingErrors, type DynamoTracingOptions } from 'dynamo-tracing';
import { dynamoTracing as fastifyTracing, dynamoTracingErrors as fastifyErrors } from 'dynamo-tracing/fastify';
import { CHAT, post } from '../support/client.js';
import { EXPRESS } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';

type Handling = 'ours' | 'ours, passed on' | "the application's" | 'none';
type Start = (thrown: unknown, handling: Handling, options?: DynamoTracingOptions) => Promise<{ port: number; close: () => Promise<unknown> }>;

const onExpress = (express: typeof express5): Start => async (thrown, handling, options) => {
  const app = express();
  app.set('env', 'test'); // Express prints no stack
  app.use(dynamoTracing({ logger: false, ...options }));
  app.post(CHAT, () => { throw thrown; });
  if (handling.startsWith('ours')) app.use(dynamoTracingErrors({ answer: handling === 'ours' }));
  if (handling === 'ours, passed on') app.use(((_error, _req, res, _next) => void res.status(500).end('own')) as express5.ErrorRequestHandler);
  const server = await new Promise<Server>((resolve) => { const made = app.listen(0, '127.0.0.1', () => resolve(made)); });
  return { port: (server.address() as { port: number }).port, close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }) };
};

const onFastify = (fastify: typeof fastify5): Start => async (thrown, handling, options) => {
  const app = fastify();
  await app.register(fastifyTracing, { logger: false, ...options });
  if (handling === 'ours') app.setErrorHandler(fastifyErrors());
  if (handling === "the application's") app.setErrorHandler((_error, _request, reply) => reply.code(500).send('own'));
  app.post(CHAT, async () => { throw await Promise.resolve(thrown); });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { port: (app.server.address() as { port: number }).port, close: () => app.close() };
};

const CASES: readonly (readonly [string, Handling, Start])[] = [
  ...EXPRESS.flatMap(([name, express]) => (['ours', 'ours, passed on', 'none'] as const).map((handling) => [name, handling, onExpress(express)] as const)),
  ...([['Fastify 5', fastify5], ['Fastify 4', fastify4 as unknown as typeof fastify5]] as const).flatMap(([name, fastify]) => (['ours', "the application's", 'none'] as const).map((handling) => [name, handling, onFastify(fastify)] as const)),
];

describe.each(CASES)('an error of a handler on %s, error handler: %s', (_name, handling, start) => {
  let tap: RecordTap;
  let app: Awaited<ReturnType<Start>> | undefined;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(async () => {
    await app?.close();
    tap.stop();
  });

  test('leaves one ERROR record with the ids, the name, the code and the frames, and not the message', async () => {
    app = await start(Object.assign(new TypeError('secret prompt'), { code: 'E_PLANTED' }), handling);
    const answer = await post(app.port);
    await tap.next('request completed');
    expect(answer.status).toBe(500);
    const [entry, ...more] = tap.of('request failed');
    expect(more).toEqual([]);
    expect(entry).toMatchObject({ level: 'error', scope: { requestId: answer.headers['request-id'] }, fields: { error_name: 'TypeError', error_code: 'E_PLANTED', error_stack: expect.stringMatching(/^at .*request-failed\.test\.ts:\d+/) } });
    expect(JSON.stringify(tap.entries.map(({ fields }) => fields))).not.toContain('secret');
  });

  test('reaches onError with the handle of the request, and its message the log where that is asked for', async () => {
    const seen: unknown[] = [];
    const error = new Error('planted');
    app = await start(error, handling, { errorMessages: true, onError: (given, trace) => { seen.push(given, trace.requestId); throw new Error('of the hook'); } });
    const answer = await post(app.port);
    await tap.next('request completed');
    expect(seen).toEqual([error, answer.headers['request-id']]);
    expect(tap.of('request failed').map(({ fields }) => fields['error_message'])).toEqual(['planted']);
  });

  test("is the client's and leaves no such record when it is answered with a 4xx", async () => {
    app = await start(Object.assign(new Error('teapot'), { status: 418, statusCode: 418, expose: true }), handling);
    await post(app.port);
    await tap.next('request completed');
    expect(tap.of('request failed')).toEqual([]);
  });
});
