import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { context, propagation, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import express from 'express';
import request from 'supertest';
import { createServer, dynamoTracing, isRequestId, logger, tracedFetch, type DynamoTracingOptions } from 'dynamo-tracing';
import { RecordTap } from '../support/records.js';
import { CHAT, chat, post, send } from '../support/client.js';
import { FRAMEWORKS } from '../support/frameworks.js';

const UUID = '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b';
const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

function expressApp(options: DynamoTracingOptions = {}): express.Express {
  const server = express();
  server.use(dynamoTracing({ logger: false, ...options }));
  server.use(express.json());
  server.all('/{*any}', (req, res) => void res.json({ requestId: req.trace.requestId, traceId: req.trace.traceId, headers: req.trace.headers(), metadata: req.trace.metadata }));
  return server;
}

const SERVERS: readonly (readonly [string, (options?: DynamoTracingOptions) => Server | express.Express])[] = [
  ['the server of Express', expressApp],
  ['createServer', (options) => createServer(expressApp(options))],
];

describe.each(SERVERS)('request ids, on %s', (_name, app) => {
  let tap: RecordTap;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(() => tap.stop());

  test('a request without ids gets a new UUID, echoed under both names', async () => {
    const res = await request(app()).post(CHAT).send({ model: 'm' });
    expect(isRequestId(res.headers['request-id']!)).toBe(true);
    expect(res.headers['x-request-id']).toBe(res.headers['request-id']);
    expect(res.body.headers['request-id']).toBe(res.headers['request-id']);
    expect(res.body.headers).not.toHaveProperty('x-request-id');
  });

  test("the caller's x-request-id is echoed and passed on, and never becomes the internal id", async () => {
    const res = await request(app()).post(CHAT).set('x-request-id', UUID).send({});
    expect(res.headers['x-request-id']).toBe(UUID);
    expect(res.headers['request-id']).not.toBe(UUID);
    expect(res.body.headers['x-request-id']).toBe(UUID);
  });

  test('request-id wins over the deprecated header and is kept as written', async () => {
    const res = await request(app()).post(CHAT).set('request-id', UUID.toUpperCase()).set('x-dynamo-request-id', '11111111-1111-4111-8111-111111111111').send({});
    expect(res.headers['request-id']).toBe(UUID.toUpperCase());
  });

  test('the deprecated header is accepted with a warning', async () => {
    const res = await request(app()).post(CHAT).set('x-dynamo-request-id', UUID).send({});
    expect(res.headers['request-id']).toBe(UUID);
    expect(tap.entries.filter((entry) => entry.level === 'warn' && entry.message.includes('deprecated')).length).toBeLessThanOrEqual(1);
  });

  test.each(['request-id', 'x-dynamo-request-id'])('an invalid %s is one warning and a generated id', async (header) => {
    const res = await request(app()).post(CHAT).set(header, `bad ${'x'.repeat(100)}`).send({});
    expect(res.status).toBe(200);
    expect(isRequestId(res.headers['request-id']!)).toBe(true);
    const warnings = tap.entries.filter((entry) => entry.message.includes('must be a valid UUID'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]!.fields).toEqual({ header, value: `bad ${'x'.repeat(60)}` });
    expect(warnings[0]!.scope?.requestId).toBe(res.headers['request-id']);
  });

  test.each([
    [CHAT, (body: { error: { message: string } }) => body.error.message],
    ['/v1/messages', (body: { type: string; error: { message: string; type: string } }) => `${body.type === 'error' && body.error.type === 'invalid_request_error' ? '' : 'wrong shape '}${body.error.message}`],
  ])('with onInvalidRequestId: reject, %s answers 400 in its own shape and the handler never runs', async (path, messageOf) => {
    const res = await request(app({ onInvalidRequestId: 'reject' })).post(path).set('request-id', 'nonsense').send({});
    expect(res.status).toBe(400);
    expect(res.body).not.toHaveProperty('requestId');
    expect(messageOf(res.body as never)).toBe('Validation: header request-id must be a valid UUID');
    expect(await tap.next('request completed')).toMatchObject({ status: 'error', error_type: 'validation' });
    expect(isRequestId(res.headers['request-id']!)).toBe(true);
  });

  test.each([['given twice', ['a', 'b']], ['too long', 'x'.repeat(257)]])('an x-request-id %s is dropped with one warning', async (_name, value) => {
    const { listener, port } = await listening(app());
    const res = await post(port, CHAT, chat(), { 'x-request-id': value });
    listener.close();
    expect(res.headers['x-request-id']).toBe(res.headers['request-id']);
    expect(JSON.parse(res.body).headers).not.toHaveProperty('x-request-id');
    expect(tap.entries.filter((entry) => entry.message.startsWith('x-request-id dropped'))).toHaveLength(1);
  });

  test('a request id given twice is invalid, although the values are equal', async () => {
    const { listener, port } = await listening(app());
    const res = await post(port, CHAT, chat(), { 'request-id': [UUID, UUID] });
    listener.close();
    expect(res.headers['request-id']).not.toContain(UUID);
  });

  test('an option turns each echo off, and leaves what the handler sets', async () => {
    const own = express().use(dynamoTracing({ logger: false, echoRequestId: false, echoXRequestId: false })).get('/', (_req, res) => void res.set('request-id', 'mine').end());
    const res = await request(own).get('/').set('x-request-id', 'order-42');
    expect(res.headers['request-id']).toBe('mine');
    expect(res.headers).not.toHaveProperty('x-request-id');
  });

  test('untrusted ids and trace context are ignored', async () => {
    const res = await request(app({ trustIncoming: (req) => req.headers['x-internal'] === '1' })).post(CHAT).set('request-id', UUID).set('traceparent', PARENT).set('x-request-id', 'a').send({});
    expect(res.headers['request-id']).not.toBe(UUID);
    expect(res.body.traceId).not.toBe(PARENT.slice(3, 35));
    const trusted = await request(app({ trustIncoming: (req) => req.headers['x-internal'] === '1' })).post(CHAT).set('request-id', UUID).set('x-internal', '1').send({});
    expect(trusted.headers['request-id']).toBe(UUID);
  });

  test('x-dynamo-meta headers are metadata', async () => {
    const res = await request(app()).post(CHAT).set('x-dynamo-meta-Tenant', ' a ').set('x-dynamo-meta-authorization', 'x').set('x-dynamo-meta-token', 'Bearer t').send({});
    expect(res.body.metadata).toEqual({ tenant: 'a' });
  });
});

describe.each(SERVERS)('trace context without an SDK, on %s', (_name, app) => {
  test("a client's trace goes on, with its tracestate and random flag", async () => {
    const res = await request(app()).post(CHAT).set('traceparent', PARENT.replace(/01$/, '03')).set('tracestate', 'vendor=1, 0@x=2').send({});
    expect(res.body.traceId).toBe(PARENT.slice(3, 35));
    expect(res.body.headers.traceparent).toMatch(new RegExp(`^00-${PARENT.slice(3, 35)}-(?!00f067aa0ba902b7)[0-9a-f]{16}-03$`));
    expect(res.body.headers.tracestate).toBe('vendor=1,0@x=2');
  });

  test('log lines anywhere in the request carry its ids', async () => {
    const tap = new RecordTap();
    const server = express().use(dynamoTracing({ logger: false })).get('/', (req, res) => void setTimeout(() => {
      logger.debug({ n: 1 }, 'from a timer');
      expect(req.trace.spanId).toHaveLength(16);
      res.end();
    }, 1));
    const res = await request(server).get('/');
    tap.stop();
    expect(tap.of('from a timer').map((entry) => entry.scope?.requestId)).toEqual([res.headers['request-id']]);
  });
});

describe.each(FRAMEWORKS)('with an OpenTelemetry SDK, on $name', ({ name, start }) => {
  const exporter = new InMemorySpanExporter();
  beforeAll(() => {
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  });
  afterAll(() => {
    trace.disable();
    context.disable();
    propagation.disable();
  });
  beforeEach(() => exporter.reset());

  test('an inference request is one SERVER span that continues the trace and carries both attribute sets', async () => {
    const server = await start({ tracing: { logger: false }, native: { [CHAT]: async (answers, { trace: requestTrace }) => {
      expect(trace.getActiveSpan()?.spanContext().spanId).toBe(requestTrace.spanId);
      return answers.json(200, { id: 'r', choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 } });
    } } });
    await post(server.port, `${CHAT}?secret=1`, chat(), { traceparent: PARENT, 'x-request-id': 'order-42' });
    await server.close();
    const [span, ...more] = exporter.getFinishedSpans();
    expect(more).toEqual([]);
    expect(span).toMatchObject({ name: 'http-request', kind: 1, parentSpanContext: { spanId: '00f067aa0ba902b7' } });
    expect(span!.attributes).toMatchObject({
      method: 'POST', uri: CHAT, version: name.includes('HTTP/2') ? 'HTTP/2.0' : 'HTTP/1.1', x_request_id: 'order-42', model: 'm', input_tokens: 1, output_tokens: 2, 'request.outcome': 'success',
      'http.request.method': 'POST', 'url.path': CHAT, 'http.route': CHAT, 'http.response.status_code': 200, 'gen_ai.request.model': 'm', 'gen_ai.usage.input_tokens': 1, 'gen_ai.response.id': 'r',
    });
    expect(JSON.stringify(span!.attributes)).not.toContain('secret');
  });

  test.each([['info', 0], ['debug', 1]])('DYN_LOG=%s leaves %i spans for /health', async (level, count) => {
    const server = await start({ tracing: { logger: false, env: { DYN_LOG: level } }, native: { '/health': (answers) => answers.json(200, {}) } });
    await send(server.port, { path: '/health' });
    await server.close();
    expect(exporter.getFinishedSpans().map((span) => span.name)).toEqual(Array<string>(count).fill('http-request'));
  });

  test('request_span=off really leaves no span, and the request still has its ids', async () => {
    const tap = new RecordTap();
    const server = await start({ tracing: { logger: false, env: { DYN_LOG: 'info,request_span=off' } }, native: { [CHAT]: (answers, { trace: t }) => answers.json(200, t.headers()) } });
    const res = await post(server.port, CHAT, chat(), { traceparent: PARENT });
    await server.close();
    tap.stop();
    expect(exporter.getFinishedSpans()).toEqual([]);
    expect(JSON.parse(res.body)).toMatchObject({ traceparent: PARENT, 'request-id': res.headers['request-id'] });
    expect(tap.of('request completed').map((entry) => entry.scope?.traceId)).toEqual([PARENT.slice(3, 35)]);
  });

  test('an untrusted traceparent becomes a link', async () => {
    const server = await start({ tracing: { logger: false, trustIncoming: false }, native: { [CHAT]: (answers) => answers.json(200, {}) } });
    await post(server.port, CHAT, chat(), { traceparent: PARENT });
    await server.close();
    const [span] = exporter.getFinishedSpans();
    expect(span!.parentSpanContext).toBeUndefined();
    expect(span!.links.map((link) => link.context.traceId)).toEqual([PARENT.slice(3, 35)]);
  });

  test('tracedFetch to another service continues the request', async () => {
    const upstream = await FRAMEWORKS[0]!.start({ tracing: { logger: false }, native: { [CHAT]: (answers, { trace: t }) => answers.json(200, { parent: t.context.parentId, trace: t.traceId, id: t.requestId }) } });
    const gateway = await start({ tracing: { logger: false }, native: { [CHAT]: async (answers, { trace: t }) => answers.json(200, { mine: t.context, theirs: await t.run(async () => (await tracedFetch(`${upstream.url}${CHAT}`, { method: 'POST' })).json()) }) } });
    const { mine, theirs } = JSON.parse((await post(gateway.port)).body) as { mine: Record<string, string>; theirs: Record<string, string> };
    await Promise.all([upstream.close(), gateway.close()]);
    const call = exporter.getFinishedSpans().find((span) => span.kind === SpanKind.CLIENT)!;
    expect(call.parentSpanContext?.spanId).toBe(mine['spanId']);
    expect(theirs).toEqual({ parent: call.spanContext().spanId, trace: mine['traceId'], id: mine['requestId'] });
  });
});

async function listening(server: Server | express.Express): Promise<{ listener: Server; port: number }> {
  const listener = server.listen(0, '127.0.0.1');
  await new Promise((resolve) => listener.once('listening', resolve));
  return { listener, port: (listener.address() as AddressInfo).port };
}
