import { afterEach, beforeEach, expect, test } from '@jest/globals';
import request from 'supertest';
import { startHarness, type Harness } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { createApp } from './app.js';

let harness: Harness;

beforeEach(async () => {
  harness = await startHarness();
});
afterEach(() => harness.close());

test('the trace and the ids of the client reach the engine and come back', async () => {
  const engine = await harness.upstream((_req, res) => {
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ id: 'chatcmpl-1', choices: [], usage: { prompt_tokens: 7, completion_tokens: 3 } }));
  });
  const res = await request(createApp(engine.url)).post('/v1/chat/completions').set('x-request-id', 'order-42').send({ model: 'm', messages: [] });

  expect(res.status).toBe(200);
  expect(res).toEchoRequestId('order-42');
  expect(harness).toHavePropagated(res);
  expect(await harness.trace(res)).toHaveCompletedOnce({ status: 'success', input_tokens: 7, output_tokens: 3 });
});
