import { expect, it } from '@jest/globals';
import { runInJest } from './support/child-jest';

/** A gateway tested under a test clock: each test sets the clock at another moment. One jest runs them all. */
const FILE = `
import express from 'express';
import request from 'supertest';
import { dynamoTracing } from 'dynamo-tracing';
import { startHarness } from 'dynamo-tracing/harness';
import { Router } from 'dynamo-tracing/transport';
import 'dynamo-tracing/jest';

const clock = { doNotFake: ['nextTick'] };
let harness;
afterEach(async () => {
  await harness.close();
  jest.useRealTimers();
});

async function chat(beforeRequest = () => undefined) {
  const worker = await harness.worker('dynamo.backend.generate');
  const router = new Router({ client: harness.client(), addresses: [worker.address], logger: false });
  const app = express().use(dynamoTracing({ logger: false }), express.json()).post('/v1/chat/completions', async (_req, res) => {
    for await (const _ of router.generate({ max_tokens: 2 }));
    res.json({});
  });
  beforeRequest();
  return request(app).post('/v1/chat/completions').send({});
}

test('works when nextTick is exempt', async () => {
  jest.useFakeTimers(clock);
  harness = await startHarness();
  const res = await chat();
  expect(res.status).toBe(200);
  expect(await harness.trace(res)).toBeConnectedTrace();
  await expect(harness.trace('nobody', { timeoutMs: 5 })).rejects.toMatchObject({ code: 'ERR_TRACE_TIMEOUT' });
});

test.each(['modern', 'legacy'])('fails before it starts: %s timers', async (kind) => {
  jest.useFakeTimers(kind === 'legacy' ? { legacyFakeTimers: true } : {});
  await expect(startHarness()).rejects.toMatchObject({ code: 'ERR_TIMERS_FAKED', functions: ['nextTick'], message: expect.stringContaining("doNotFake: ['nextTick']") });
});

test('fails at the next use', async () => {
  harness = await startHarness();
  jest.useFakeTimers();
  await expect(harness.worker('a.b.c')).rejects.toMatchObject({ code: 'ERR_TIMERS_FAKED' });
  expect(() => harness.client()).toThrow('process.nextTick is faked');
});

test('fails in the request, with a warning that says why', async () => {
  harness = await startHarness();
  await expect(chat(() => jest.useFakeTimers())).rejects.toMatchObject({ code: 'ECONNRESET' });
});

test('fails at a call of its client', async () => {
  harness = await startHarness();
  const worker = await harness.worker('a.b.c');
  const client = harness.client();
  jest.useFakeTimers();
  expect(() => client.generate(worker.address, {})).toThrow('process.nextTick is faked');
  await expect(client.openStream(worker.address, {})).rejects.toMatchObject({ code: 'ERR_TIMERS_FAKED' });
});
`;

it('under jest\'s fake timers a harness works or fails at once and says what to exempt; the process ends by itself', async () => {
  const { code, output } = await runInJest(FILE);
  expect(output).toContain('Tests:       6 passed, 6 total');
  expect(output).toMatch(/\[ERR_TIMERS_FAKED\].*doNotFake: \['nextTick'\]/);
  expect(output).not.toContain('did not exit');
  expect(code).toBe(0);
}, 180_000);
