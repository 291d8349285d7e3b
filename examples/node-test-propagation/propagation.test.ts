/* eslint-disable @typescript-eslint/no-floating-promises -- the runner waits for its tests */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import request from 'supertest';
import {
  assertCompletedOnce, assertConnectedTrace, assertEchoesRequestId, assertMatchesTree, assertPropagated, assertReceivedTraceOf, faults, startHarness, type Harness, type HarnessWorker,
} from 'dynamo-tracing/harness';
import { createApp } from './gateway.js';

let harness: Harness;
let worker: HarnessWorker;
let app: ReturnType<typeof createApp>;

beforeEach(async () => {
  harness = await startHarness();
  worker = await harness.worker('dynamo.backend.generate');
  app = createApp({ client: harness.client(), worker: worker.address });
});
afterEach(() => harness.close());

const chat = () => request(app).post('/v1/chat/completions').set('x-request-id', 'order-42').set('tracestate', 'vendor=1').set('traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01').send({ max_tokens: 3 });

it('keeps one trace from the client to the worker', async () => {
  const res = await chat();
  assertEchoesRequestId(res, 'order-42');
  assertReceivedTraceOf(worker, res);
  assertPropagated(harness, res);

  const trace = await harness.trace(res);
  assertConnectedTrace(trace);
  assertMatchesTree(trace, `
    http-request {http.response.status_code=200}
      router.route_request {request.outcome=success}
        handle_payload
  `);
  assertCompletedOnce(trace, { status: 'success', output_tokens: 3 });
});

it('would notice a hop that loses its headers', async () => {
  worker.inject(faults.dropHeaders());
  const res = await chat();
  assert.throws(() => assertPropagated(harness, res), /gateway → worker dynamo\.backend\.generate: traceparent: lost on the way/);
});
