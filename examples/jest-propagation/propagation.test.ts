import { afterEach, beforeEach, expect, it } from '@jest/globals';
import request from 'supertest';
import { faults, startHarness, type Harness, type HarnessWorker } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
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
  expect(res).toEchoRequestId('order-42');
  expect(worker).toHaveReceivedTraceOf(res);
  expect(harness).toHavePropagated(res);

  const trace = await harness.trace(res);
  expect(trace).toBeConnectedTrace();
  expect(trace).toMatchTree(`
    http-request {http.response.status_code=200}
      router.route_request {request.outcome=success}
        handle_payload
  `);
  expect(trace).toHaveCompletedOnce({ status: 'success', output_tokens: 3 });
});

it('would notice a hop that loses its headers', async () => {
  worker.inject(faults.dropHeaders());
  const res = await chat();
  expect(() => expect(harness).toHavePropagated(res)).toThrow('gateway → worker dynamo.backend.generate: traceparent: lost on the way');
});
