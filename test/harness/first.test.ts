import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import request from 'supertest';
import { faults, startHarness, type Harness, type HarnessWorker } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { BODY, CHAT, gateway, TRACEPARENT } from './support/app';

describe.each(['tcp', 'memory'] as const)('a gateway and a worker over %s', (transport) => {
  let harness: Harness;
  let worker: HarnessWorker;
  let app: ReturnType<typeof gateway>;

  beforeEach(async () => {
    harness = await startHarness({ transport });
    worker = await harness.worker('dynamo.backend.generate');
    app = gateway(harness.client(), worker.address);
  });
  afterEach(() => harness.close());

  const post = () => request(app).post(CHAT).set('x-request-id', 'order-42').set('traceparent', TRACEPARENT).set('tracestate', 'vendor=1').send(BODY);

  it('has one connected trace from the client to the worker, with one completion record', async () => {
    const res = await post();
    expect(res.status).toBe(200);
    expect(res).toEchoRequestId('order-42');
    expect(worker).toHaveReceivedTraceOf(res);
    const trace = await harness.trace(res);
    expect(trace.traceId).toBe(TRACEPARENT.slice(3, 35));
    expect(trace).toMatchTree(`
      http-request {method=POST}
        router.route_request {request.outcome=success}
          handle_payload
    `);
    expect(trace).toBeConnectedTrace();
    expect(trace).toHaveCompletedOnce({ status: 'success', output_tokens: 3 });
    expect(trace).toHaveSpanAttributes('http-request', { 'http.route': CHAT });
    expect(trace).toLeakNoText('hi there');
    expect(harness).toHavePropagated(res);
    expect(harness).toHavePropagated();
  });

  it('fails naming the hop and the headers when the worker link drops the header block', async () => {
    worker.inject(faults.dropHeaders());
    const res = await post();
    expect(res.status).toBe(200);
    const said = (): void => expect(harness).toHavePropagated(res);
    expect(said).toThrow(/gateway → worker dynamo\.backend\.generate: traceparent: lost on the way \(drop the header block\)/);
    for (const header of ['tracestate', 'x-request-id', 'request-id']) expect(said).toThrow(new RegExp(`gateway → worker dynamo\\.backend\\.generate: ${header}: lost on the way`));
    expect(() => expect(worker).toHaveReceivedTraceOf(res)).toThrow(/gateway → worker dynamo\.backend\.generate: traceparent: lost on the way/);
    expect(harness).not.toHavePropagated(res);
  });
});
