import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { context, propagation, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import express from 'express';
import { dynamoTracing } from 'dynamo-tracing';
import { CHAT, open, post, rawRequest } from '../support/client.js';
import { RecordTap } from '../support/records.js';

const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

describe('beside @opentelemetry/instrumentation-http', () => {
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
    app.use(dynamoTracing({ logger: false }));
    app.use(express.json());
    app.post(CHAT, (_req, res) => void res.json({ id: 'x', choices: [] }));
    app.post('/v1/completions', () => undefined);
    app.get('/pages/:id', (_req, res) => void res.end());
    server = http.createServer(app).listen(0, '127.0.0.1');
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

  const spans = (): { server: ReadableSpan; ours: ReadableSpan | undefined } => {
    const finished = exporter.getFinishedSpans();
    return { server: finished.find((span) => span.kind === SpanKind.SERVER)!, ours: finished.find((span) => span.name === 'http-request') };
  };

  test("our span is the server span's INTERNAL child, and the server span gets the route", async () => {
    await post(port, CHAT, undefined, { traceparent: PARENT });
    await new Promise((resolve) => setImmediate(resolve));
    const { server: outer, ours } = spans();
    expect(outer.parentSpanContext?.spanId).toBe('00f067aa0ba902b7');
    expect(ours).toMatchObject({ kind: SpanKind.INTERNAL, parentSpanContext: { spanId: outer.spanContext().spanId } });
    expect(outer.attributes['http.route']).toBe(CHAT);
    expect(outer.name).toBe(`POST ${CHAT}`);
    expect(exporter.getFinishedSpans()).toHaveLength(2);
  });

  test('our span ends before the server span, also when the client leaves', async () => {
    const tap = new RecordTap();
    const socket = await open(port);
    socket.write(rawRequest('/v1/completions', '{}', { traceparent: PARENT }));
    await tap.until(() => server.listenerCount('request') > 0, 'the server');
    await once(server, 'request').catch(() => undefined);
    socket.destroy();
    await tap.next('request completed');
    await new Promise((resolve) => setImmediate(resolve));
    tap.stop();
    expect(exporter.getFinishedSpans().map((span) => span.kind)).toEqual([SpanKind.INTERNAL, SpanKind.SERVER]);
  });

  test('a system route whose own span is filtered out keeps the server span alone', async () => {
    await fetch(`http://127.0.0.1:${port}/pages/7`);
    await new Promise((resolve) => setImmediate(resolve));
    expect(spans().ours).toBeUndefined();
    expect(spans().server).toBeDefined();
  });
});
