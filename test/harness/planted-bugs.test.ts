import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { context, ROOT_CONTEXT } from '@opentelemetry/api';
import { randomUUID } from 'node:crypto';
import request, { type Response } from 'supertest';
import { faults, startHarness, type Harness, type HarnessWorker } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { BODY, CHAT, gateway, TRACEPARENT, withSpanContext, type GatewayOptions } from './support/app';
import { said } from './support/said';

const HOP = 'gateway → worker dynamo.backend.generate';
const [, TRACE_ID = '', CLIENT_SPAN = ''] = TRACEPARENT.split('-');

describe('each bug, planted in a gateway that otherwise works, is found and named', () => {
  let harness: Harness;
  let worker: HarnessWorker;

  beforeEach(async () => {
    harness = await startHarness({ transport: 'memory' });
    worker = await harness.worker('dynamo.backend.generate');
  });
  afterEach(() => harness.close());

  async function call(options: GatewayOptions = {}): Promise<Response> {
    const app = gateway(harness.client(), worker.address, options);
    const res = await request(app).post(CHAT).set('x-request-id', 'order-42').set('traceparent', TRACEPARENT).set('tracestate', 'vendor=1').send(BODY);
    expect(res.status).toBe(200);
    return res;
  }

  it('nothing is found when there is nothing', async () => {
    const res = await call();
    expect(harness).toHavePropagated(res);
    expect(await harness.trace(res)).toBeConnectedTrace();
  });

  it('all trace headers dropped on the TCP hop: the original bug', async () => {
    worker.inject(faults.dropHeaders());
    const res = await call();
    const message = said(() => expect(harness).toHavePropagated(res));
    for (const header of ['traceparent', 'tracestate', 'x-request-id', 'request-id']) expect(message).toContain(`${HOP}: ${header}: lost on the way (drop the header block)`);
    expect(message).toContain('received  (absent)');
    expect(said(() => expect(worker).toHaveReceivedTraceOf(res))).toContain(`${HOP}: traceparent: lost on the way`);
    expect(said(() => expect(harness).toHavePropagated())).toContain(`${HOP}: traceparent: lost on the way`);
  });

  it('a transport of the app that sends no trace headers', async () => {
    const res = await call({ call: (req) => ({ context: ROOT_CONTEXT, requestId: req.trace.requestId }) });
    // The router makes a span of its own, in a trace of its own.
    const message = said(() => expect(harness).toHavePropagated(res));
    expect(message).toContain(`${HOP}: traceparent: it continues another trace: two traces in one request`);
    expect(message).toContain(`${HOP}: tracestate: the sender did not send it`);
    expect(message).toContain(`${HOP}: x-request-id: the sender did not send it`);
  });

  it('a wrong parent: the client\'s span passed on in place of the gateway\'s own', async () => {
    worker.inject(faults.alterHeaders({ traceparent: TRACEPARENT }));
    const res = await call();
    expect(said(() => expect(harness).toHavePropagated(res))).toContain(`${HOP}: traceparent: changed on the way`);
    const trace = await harness.trace(res);
    expect(said(() => expect(trace).toBeConnectedTrace())).toContain(`wrong parent: handle_payload continues ${CLIENT_SPAN}, the span of the caller outside`);
  });

  it('a wrong parent, planted in the app', async () => {
    const res = await call({ call: () => ({ context: withSpanContext(context.active(), TRACE_ID, CLIENT_SPAN) }) });
    const trace = await harness.trace(res);
    expect(said(() => expect(trace).toBeConnectedTrace())).toContain(`wrong parent: router.route_request continues ${CLIENT_SPAN}`);
    expect(said(() => expect(trace).toMatchTree('http-request\n  router.route_request\n    handle_payload'))).toContain('line 2 differs');
  });

  it('a swapped request id', async () => {
    const other = randomUUID();
    const res = await call({ call: () => ({ requestId: other }) });
    const id = String(res.headers['request-id']);
    const message = said(() => expect(harness).toHavePropagated(res));
    expect(message).toContain(`${HOP}: request-id: the sender sent another one`);
    expect(message).toContain(`expected  ${id}`);
    expect(message).toContain(`sent      ${other}`);
    const trace = await harness.trace(res);
    expect(said(() => expect(trace).toBeConnectedTrace())).toMatch(new RegExp(`2 request ids in one trace: ${id}.*${other}`));
  });

  it('two traces in one request', async () => {
    const other = '0af7651916cd43dd8448eb211c80319c';
    const res = await call({ call: (req) => ({ context: withSpanContext(ROOT_CONTEXT, other, 'b7ad6b7169203331'), requestId: req.trace.requestId }) });
    expect(said(() => expect(harness).toHavePropagated(res))).toContain(`${HOP}: traceparent: it continues another trace: two traces in one request`);
    const found = await harness.trace(res);
    const message = said(() => expect(found).toBeConnectedTrace());
    expect(message).toContain(`two traces in one request: handle_payload`);
    expect(message).toContain(`is in trace ${other}, not in ${TRACE_ID}`);
    expect(said(() => expect(worker).toHaveReceivedTraceOf(res))).toContain('two traces in one request');
  });

  it('a lost tracestate', async () => {
    const res = await call({ call: (req) => ({ context: withSpanContext(ROOT_CONTEXT, req.trace.traceId, req.trace.spanId), requestId: req.trace.requestId }) });
    const link = said(() => expect(harness).toHavePropagated(res));
    expect(link).toContain(`${HOP}: tracestate: the sender did not send it`);
    expect(link).toContain('expected  vendor=1');
    expect(link).not.toContain(`${HOP}: traceparent`);
  });

  it('a tracestate lost on the link', async () => {
    worker.inject(faults.dropHeaders('tracestate'));
    const res = await call();
    const message = said(() => expect(harness).toHavePropagated(res));
    expect(message).toContain(`${HOP}: tracestate: lost on the way (drop tracestate)`);
    expect(message).not.toContain(`${HOP}: traceparent`);
  });

  it('a duplicate completion record', async () => {
    const res = await call({ also: (req) => req.trace.log.info({ status: 'success' }, 'request completed') });
    const trace = await harness.trace(res);
    expect(said(() => expect(trace).toHaveCompletedOnce())).toMatch(/exactly one record "request completed": \nthere are 2\nspan [0-9a-f]{16} has 2 of them/);
  });
});
