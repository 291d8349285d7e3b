import http, { type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import express from 'express';
import { createServer, dynamoTracing } from 'dynamo-tracing';
import { CHAT, open, post, rawRequest } from '../support/client.js';
import { RecordTap } from '../support/records.js';
import { until } from '../support/until.js';

const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe.each([['http.createServer', (app: RequestListener) => http.createServer(app)], ['createServer', (app: RequestListener) => createServer(app)]])('beside @opentelemetry/instrumentation-http, on %s', (_name, serve) => {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const instrumentation = new HttpInstrumentation({ disableOutgoingRequestInstrumentation: true });
  // jest loads core modules past the hook that instrumentations use: their patch is applied by hand, and taken back.
  const definition = instrumentation.getModuleDefinitions().find(({ name }) => name === 'http')!;
  let server: http.Server;
  let port: number;

  beforeAll(async () => {
    trace.setGlobalTracerProvider(provider);
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    instrumentation.setTracerProvider(provider);
    definition.patch!(http, undefined);
    const app = express();
    app.use('/own', dynamoTracing({ logger: false, serverSpan: 'own' }));
    app.use(dynamoTracing({ logger: false }));
    app.use(express.json());
    app.post([CHAT, `/own${CHAT}`], (req, res) => void res.json({ id: 'x', choices: [], trace: req.trace.context }));
    app.post('/v1/responses', (_req, res) => void res.type('text/event-stream').end('event: error\ndata: {"type":"error","message":"x"}\n\n'));
    app.post('/v1/completions', () => undefined);
    app.get('/pages/:id', (_req, res) => void res.end());
    server = serve(app).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });

  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    definition.unpatch!(http, undefined);
    trace.disable();
    context.disable();
    propagation.disable();
  });

  beforeEach(() => exporter.reset());

  /** The server span of the one request of the test, and every other span. */
  const spans = async (): Promise<{ server: ReadableSpan; others: ReadableSpan[] }> => {
    await until('the server span', () => exporter.getFinishedSpans().some((span) => span.kind === SpanKind.SERVER));
    const finished = exporter.getFinishedSpans();
    return { server: finished.find((span) => span.kind === SpanKind.SERVER)!, others: finished.filter((span) => span.kind !== SpanKind.SERVER) };
  };

  test("the server span is the request's own: our fields, status and route are on it, and none is made beside it", async () => {
    const answer = await post(port, CHAT, undefined, { traceparent: PARENT });
    const { server: span, others } = await spans();
    expect(span.parentSpanContext?.spanId).toBe('00f067aa0ba902b7');
    expect(span.attributes).toMatchObject({ request_id: answer.headers['request-id'], 'dynamo.span.target': 'request_span', 'http.route': CHAT, response_id: 'x', 'request.outcome': 'success', 'http.response.status_code': 200 });
    expect(span.name).toBe(`POST ${CHAT}`);
    expect(JSON.parse(answer.body)).toMatchObject({ trace: { traceId: span.spanContext().traceId, spanId: span.spanContext().spanId } });
    expect(others).toEqual([]);
  });

  test("with serverSpan: 'own' ours is its INTERNAL child, and gives it the route", async () => {
    await post(port, `/own${CHAT}`, undefined, { traceparent: PARENT });
    const { server: outer, others: [ours] } = await spans();
    expect(ours).toMatchObject({ name: 'http-request', kind: SpanKind.INTERNAL, parentSpanContext: { spanId: outer.spanContext().spanId } });
    expect(outer.attributes['http.route']).toBe(`/own${CHAT}`);
    expect(outer.attributes['request_id']).toBeUndefined();
  });

  test('an error inside a stream fails the server span, although its status is 200', async () => {
    await post(port, '/v1/responses');
    expect((await spans()).server).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'internal' } });
  });

  test('our fields are on the server span also when the client leaves', async () => {
    const tap = new RecordTap();
    const socket = await open(port);
    socket.write(rawRequest('/v1/completions', '{}', { traceparent: PARENT }));
    await tap.until(() => server.listenerCount('request') > 0, 'the server');
    await once(server, 'request').catch(() => undefined);
    socket.destroy();
    await tap.next('request completed');
    await new Promise((resolve) => setImmediate(resolve));
    tap.stop();
    expect((await spans()).server.attributes).toMatchObject({ 'request.outcome': 'cancelled' });
  });

  test('a system route is told apart by its target, and DYN_LOG has no say over a span that is not ours', async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/pages/7`);
    expect((await spans()).server.attributes).toMatchObject({ request_id: answer.headers.get('request-id'), 'dynamo.span.target': 'system_span', 'http.route': '/pages/:id' });
  });
});
