import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type express5 from 'express';
import fastify5 from 'fastify';
import fastify4 from 'fastify4';
import createError from 'http-errors';
import { dynamoTracing, dynamoTracingErrors } from 'dynamo-tracing';
import { dynamoTracing as fastifyTracing, dynamoTracingErrors as fastifyErrors } from 'dynamo-tracing/fastify';
import { CHAT, post, send } from '../support/client.js';
import { EXPRESS } from '../support/frameworks.js';
import { closeAfterEach, listening, portOf } from '../support/listening.js';
import { RecordTap } from '../support/records.js';

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
