import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import express5 from 'express';
import express4 from 'express4';
import fastify5 from 'fastify';
import fastify4 from 'fastify4';
import createError from 'http-errors';
import { dynamoTracing, dynamoTracingErrors } from 'dynamo-tracing';
import { dynamoTracing as fastifyTracing, dynamoTracingErrors as fastifyErrors } from 'dynamo-tracing/fastify';
import { lifecycleOf } from '../../src/middleware/watch-response.js';
import { CHAT, chat, open, post, rawRequest, send } from '../support/client.js';
import { closeAfterEach, listening, portOf } from '../support/listening.js';
import { RecordTap } from '../support/records.js';

const EXPRESS: [string, typeof express5][] = [['Express 5', express5], ['Express 4', express4]];
const FASTIFY: [string, typeof fastify5][] = [['Fastify 5', fastify5], ['Fastify 4', fastify4 as unknown as typeof fastify5]];

closeAfterEach();

test.each([dynamoTracingErrors, fastifyErrors])('options that cannot be used are refused at start-up', (make) => {
  for (const options of [{ overloadStatus: 600 }, { overloadStatus: 399 }, { answer: 'no' }, { answers: true }]) {
    expect(() => make(options as never)).toThrow(expect.objectContaining({ code: 'ERR_OPTION_INVALID' }));
  }
  expect(() => make({ overloadStatus: 599, answer: true })).not.toThrow();
});

describe('answer: false records the error and leaves the answer to the app', () => {
  let tap: RecordTap;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(() => tap.stop());

  test.each(EXPRESS)('%s: the next error handler', async (_name, express) => {
    const app = express();
    app.use(dynamoTracing({ logger: false }));
    app.all(CHAT, () => { throw createError(404, 'text'); });
    app.use(dynamoTracingErrors({ answer: false }));
    app.use(((error: Error, _req, res, _next) => void res.status(418).end(`own: ${error.message}`)) as express5.ErrorRequestHandler);
    expect(await post(await listening(app.listen(0, '127.0.0.1')))).toMatchObject({ status: 418, body: 'own: text' });
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'not_found' });
  });

  test.each(FASTIFY)('%s: the error handler of the plugin around', async (_name, fastify) => {
    const app = fastify();
    await app.register(fastifyTracing, { logger: false });
    app.setErrorHandler((error: Error, _request, reply) => reply.code(418).send(`own: ${error.message}`));
    await app.register(async (routes) => {
      await Promise.resolve();
      routes.setErrorHandler(fastifyErrors({ answer: false }));
      routes.post(CHAT, () => { throw createError(404, 'text'); });
      routes.post('/null', () => { throw null; }); // eslint-disable-line @typescript-eslint/only-throw-error -- what is tested
    });
    const port = await portOf(app);
    expect(await post(port)).toMatchObject({ status: 418, body: 'own: text' });
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'not_found' });
    expect((await post(port, '/null')).status).toBe(418);
  });

  test.each(FASTIFY)("%s: without another, Fastify's own", async (_name, fastify) => {
    const app = fastify();
    app.setErrorHandler(fastifyErrors({ answer: false }));
    app.get('/', () => { throw createError(404, 'text'); });
    app.get('/text', () => { throw 'text'; }); // eslint-disable-line @typescript-eslint/only-throw-error -- what is tested
    const port = await portOf(app);
    expect(JSON.parse((await send(port)).body)).toEqual({ statusCode: 404, error: 'Not Found', message: 'text' });
    expect((await send(port, { path: '/text' })).status).toBe(500);
  });
});

describe('the recorder of the request is told of the error', () => {
  function app(express: typeof express5, recorded: unknown[], failedWith = (error: unknown): void => void recorded.push(error)): express5.Express {
    const made = express();
    made.use(dynamoTracing({ logger: false }));
    made.use((_req, res, next) => {
      Object.assign(lifecycleOf(res) as object, { failedWith });
      next();
    });
    return made;
  }

  test.each(EXPRESS)('%s: once, whether it is answered or passed on', async (_name, express) => {
    for (const answer of [true, false]) {
      const recorded: unknown[] = [];
      const error = new Error('planted');
      const made = app(express, recorded);
      made.all(CHAT, () => { throw error; });
      made.use(dynamoTracingErrors({ answer }));
      made.use(((_error, _req, res, _next) => void res.end()) as express5.ErrorRequestHandler);
      await post(await listening(made.listen(0, '127.0.0.1')));
      expect(recorded).toEqual([error]);
    }
  });

  test.each(EXPRESS)('%s: a recorder that throws changes no answer', async (_name, express) => {
    const made = app(express, [], () => { throw new Error('a fault of ours'); });
    made.all(CHAT, () => { throw createError(404, 'text'); });
    made.use(dynamoTracingErrors());
    expect(await post(await listening(made.listen(0, '127.0.0.1')))).toMatchObject({ status: 404, body: expect.stringContaining('text') });
  });

  test.each(EXPRESS)('%s: not of an abort after the client has left, but of any other error then', async (_name, express) => {
    const recorded: unknown[] = [];
    const made = app(express, recorded);
    let begun = 0;
    let begin: () => void;
    const bothBegun = new Promise<void>((resolve) => { begin = resolve; });
    const failAfterClose = (error: unknown): express5.RequestHandler => (_req, res, next) => {
      res.once('close', () => next(error));
      if ((begun += 1) === 2) begin();
    };
    made.all('/abort', failAfterClose(new DOMException('x', 'AbortError')));
    made.all('/other', failAfterClose('other'));
    const handle = dynamoTracingErrors();
    const handled = new Promise<void>((resolve) => {
      let seen = 0;
      made.use(((error: unknown, req, res, next) => {
        handle(error, req, res, next);
        if ((seen += 1) === 2) resolve();
      }) as express5.ErrorRequestHandler);
    });
    const port = await listening(made.listen(0, '127.0.0.1'));
    const [first, second] = [await open(port), await open(port)];
    first.write(rawRequest('/abort', chat()));
    second.write(rawRequest('/other', chat()));
    await bothBegun;
    first.destroy();
    second.destroy();
    await handled;
    expect(recorded).toEqual(['other']);
  });
});
