/** What every framework's adapter must do, with handlers that answer in the framework's own words. */
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { context, trace as otel } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
// The names that both lines of the SDK have, 2.x and 3.x.
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { currentTrace, currentTraceContext } from 'dynamo-tracing';
import { CHAT, chat, open, post, rawRequest, received, send } from '../support/client.js';
import { EVERY_FRAMEWORK, type NativeHandler, type TestAppOptions, type TestServer } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';
import { until } from '../support/until.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const OWN = '7b0c1c5e-0c8f-4f6b-9a3e-2f1f0a9d8e71';
const event = (value: unknown): string => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`;
const delta = (content: string, finish: string | null = null): string => event({ id: 'chatcmpl-1', choices: [{ index: 0, delta: { content }, finish_reason: finish }] });
const EVENTS = [delta('a'), delta('b'), delta('', 'stop'), event({ id: 'chatcmpl-1', choices: [], usage: { prompt_tokens: 7, completion_tokens: 2 } }), event('[DONE]')];
const completion = { id: 'chatcmpl-9', choices: [{ message: { content: 'hi' }, finish_reason: 'stop' }], usage: { prompt_tokens: 7, completion_tokens: 3 } };
const answers = (status: number, body: unknown): NativeHandler => ({ json }) => json(status, body);

/** Events, and then what the test wants to happen. */
const streamOf = (end: () => Promise<void>): Readable => Readable.from((async function * () {
  yield delta('first');
  await end();
})(), { objectMode: false });

describe.each(EVERY_FRAMEWORK)('on $name', ({ name, start }) => {
  const exporter = new InMemorySpanExporter();
  let tap: RecordTap;
  let server: TestServer;

  beforeAll(() => {
    // In place of what test:matrix has registered.
    context.disable();
    otel.disable();
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    otel.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  });
  afterAll(() => {
    context.disable();
    otel.disable();
  });
  beforeEach(() => {
    tap = new RecordTap();
    exporter.reset();
  });
  afterEach(async () => {
    await server.close();
    tap.stop();
  });

  const serve = async (native: NonNullable<TestAppOptions['native']>, options: Omit<TestAppOptions, 'native'> = {}): Promise<number> => {
    server = await start({ native, ...options, tracing: { logger: false, ...options.tracing } });
    return server.port;
  };
  /** The record and the span of the only request, once nothing more can come. */
  const ended = async (): Promise<{ record: Record<string, unknown>; attributes: Record<string, unknown>; status: number }> => {
    const record = await tap.next('request completed');
    await until('the span', () => exporter.getFinishedSpans().length > 0);
    await new Promise(setImmediate);
    expect(['request received', 'request completed'].map((message) => tap.of(message).length)).toEqual([1, 1]);
    const spans = exporter.getFinishedSpans();
    expect(spans.map(({ name }) => name)).toEqual(['http-request']);
    expect(tap.of('request completed')[0]?.scope?.spanId).toBe(spans[0]!.spanContext().spanId);
    return { record, attributes: spans[0]!.attributes, status: spans[0]!.status.code };
  };

  test('a unary answer reaches the client unchanged and leaves one record and one span with its tokens', async () => {
    const port = await serve({ [CHAT]: answers(200, completion) });
    const answer = await post(port, CHAT, chat(), { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' });
    expect([answer.status, JSON.parse(answer.body)]).toEqual([200, completion]);
    const { record, attributes } = await ended();
    expect(record).toMatchObject({ status: 'success', model: 'm', endpoint: 'chat_completions', request_type: 'unary', input_tokens: 7, output_tokens: 3, finish_reason: 'stop', response_id: 'chatcmpl-9' });
    expect(attributes).toMatchObject({ 'http.request.method': 'POST', 'url.path': CHAT, 'http.route': CHAT, 'http.response.status_code': 200, 'gen_ai.usage.output_tokens': 3 });
    expect(exporter.getFinishedSpans()[0]).toMatchObject({ parentSpanContext: { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' } });
  });

  test('a stream reaches the client byte for byte and leaves its tokens and times', async () => {
    const port = await serve({ [CHAT]: ({ stream }) => stream('text/event-stream', Readable.from(EVENTS, { objectMode: false })) });
    const answer = await post(port, CHAT, chat({ stream: true }));
    expect([answer.body, answer.headers['content-type']]).toEqual([EVENTS.join(''), expect.stringContaining('text/event-stream')]);
    const { record } = await ended();
    expect(record).toMatchObject({ status: 'success', request_type: 'stream', input_tokens: 7, output_tokens: 2, finish_reason: 'stop', ttft_ms: expect.any(Number), avg_itl_ms: expect.any(Number) });
  });

  test('an error thrown before the head is an error of the request and is told to onError once', async () => {
    const told: unknown[] = [];
    const planted = new Error('a secret prompt');
    const port = await serve({ [CHAT]: () => { throw planted; } }, { errors: true, tracing: { onError: (error) => void told.push(error) } });
    const answer = await post(port);
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([500, { error: { code: 500 } }]);
    expect([answer.body.includes('secret'), answer.headers['request-id']]).toEqual([false, expect.stringMatching(UUID)]);
    const { record, status } = await ended();
    expect([record, status, tap.of('request failed').length]).toMatchObject([{ status: 'error', error_type: 'internal' }, 2, 1]);
    expect(told).toEqual([planted]);
  });

  test('a stream that breaks after the head is an error, and the client sees that it is not whole', async () => {
    const port = await serve({ [CHAT]: ({ stream }) => stream('text/event-stream', streamOf(() => Promise.reject(new Error('planted')))) });
    const seen = await post(port, CHAT, chat({ stream: true })).then(() => 'whole', () => 'broken');
    if (!name.includes('HTTP/2')) expect(seen).toBe('broken'); // Fastify destroys the stream, which on HTTP/2 looks whole
    expect((await ended()).record).toMatchObject({ status: 'error', error_type: 'internal', request_type: 'stream' });
  });

  test('a client that leaves in the middle of a stream cancels the request, its signal and its source', async () => {
    let signal: AbortSignal | undefined;
    const source = streamOf(() => new Promise(() => undefined));
    const port = await serve({ [CHAT]: ({ stream }, { trace }) => {
      signal = trace.signal;
      return stream('text/event-stream', source);
    } });
    const socket = await open(port);
    socket.write(rawRequest(CHAT, chat({ stream: true })));
    await received(socket, 'first');
    socket.destroy();
    expect((await ended()).record).toMatchObject({ status: 'cancelled', error_type: 'cancelled' });
    expect(signal?.aborted).toBe(true);
    await until('the end of the source', () => source.destroyed);
  });

  test('a client that leaves before the head cancels the request', async () => {
    let reach!: () => void;
    let release!: () => void;
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const port = await serve({ [CHAT]: async ({ json }) => {
      reach();
      await new Promise<void>((resolve) => (release = resolve));
      return json(200, completion);
    } });
    const socket = await open(port);
    socket.write(rawRequest(CHAT, chat()));
    await reached;
    socket.destroy();
    const { record } = await ended();
    release();
    expect(record).toMatchObject({ status: 'cancelled', error_type: 'cancelled' });
  });

  test.each<[string, Record<string, string>, unknown, unknown, string[]]>([
    ['none', {}, expect.stringMatching(UUID), undefined, []],
    ['a caller\'s own text', { 'x-request-id': 'order-42' }, expect.stringMatching(UUID), 'order-42', []],
    ['a canonical id', { 'request-id': OWN }, OWN, undefined, []],
    ['an invalid canonical id', { 'request-id': 'no' }, expect.stringMatching(UUID), undefined, ['request-id must be a valid UUID']],
    ['the deprecated header, invalid', { 'x-dynamo-request-id': 'no' }, expect.stringMatching(UUID), undefined, ['x-dynamo-request-id must be a valid UUID; x-dynamo-request-id is deprecated, send request-id instead']],
  ])('ids: %s', async (_title, headers, requestId, xRequestId, warnings) => {
    const port = await serve({ [CHAT]: ({ json }, { trace }) => json(200, { id: trace.requestId }) });
    const answer = await post(port, CHAT, chat(), headers);
    const { id } = JSON.parse(answer.body) as { id: string };
    expect([answer.headers['request-id'], answer.headers['x-request-id']]).toEqual([requestId, xRequestId ?? id]);
    expect(answer.headers['request-id']).toBe(id);
    await ended();
    expect(tap.entries.filter(({ level, message }) => level === 'warn' && message.includes('UUID')).map(({ message }) => message)).toEqual(warnings);
  });

  test("an upstream's ids that the handler copies do not go out in the place of ours, and are kept", async () => {
    const port = await serve({ [CHAT]: ({ text }) => text(200, 'application/json', JSON.stringify(completion), { 'request-id': 'theirs', 'x-request-id': 'req_theirs' }) });
    const answer = await post(port, CHAT, chat(), { 'x-request-id': 'order-42' });
    expect([answer.headers['request-id'], answer.headers['x-request-id']]).toEqual([expect.stringMatching(UUID), 'order-42']);
    const { record } = await ended();
    expect(record).toMatchObject({ status: 'success', output_tokens: 3, upstream_request_id: expect.stringMatching(/theirs$/) });
  });

  test('an invalid id is answered with 400 without the handler when the options ask for that', async () => {
    const port = await serve({ [CHAT]: () => { throw new Error('not called'); } }, { tracing: { onInvalidRequestId: 'reject' } });
    const answer = await post(port, CHAT, chat(), { 'request-id': 'no' });
    expect([answer.status, JSON.parse(answer.body)]).toMatchObject([400, { error: { message: expect.stringMatching(/^Validation: /) } }]);
    expect((await ended()).record).toMatchObject({ status: 'error', error_type: 'validation' });
  });

  test("the handler's parameterised route is the span's, and the request is a system request", async () => {
    const port = await serve({ '/items/:id': answers(200, {}) }, { tracing: { env: { DYN_LOG: 'debug' } } });
    await send(port, { path: '/items/42?q=1' });
    await until('the span', () => exporter.getFinishedSpans().length === 1);
    expect(exporter.getFinishedSpans()[0]!.attributes).toMatchObject({ 'http.route': '/items/:id', 'url.path': '/items/42', 'dynamo.span.target': 'system_span' });
    expect(tap.entries.map(({ message, level }) => [message, level])).toEqual([['http response sent', 'debug']]);
  });

  test('a system request has no span unless DYN_LOG asks for one, and its ids all the same', async () => {
    const port = await serve({ '/health': answers(200, {}) });
    const answer = await send(port, { path: '/health' });
    await tap.next('http response sent');
    expect([answer.status, answer.headers['request-id']]).toEqual([200, expect.stringMatching(UUID)]);
    expect(exporter.getFinishedSpans()).toEqual([]);
  });

  test('a path that nobody serves is answered with 404 by the framework, without a route', async () => {
    const port = await serve({ [CHAT]: answers(200, completion) }, { tracing: { env: { DYN_LOG: 'debug' } } });
    expect((await send(port, { path: '/nowhere' })).status).toBe(404);
    await until('the span', () => exporter.getFinishedSpans().length === 1);
    const { attributes } = exporter.getFinishedSpans()[0]!;
    expect([attributes['http.response.status_code'], attributes['http.route']]).toEqual([404, undefined]);
  });

  test('a request that is ignored has a handle without ids, no record and no header', async () => {
    const port = await serve({ [CHAT]: ({ json }, { trace }) => json(200, { id: trace.requestId }) }, { tracing: { ignore: [CHAT] } });
    const answer = await post(port);
    expect([answer.body, answer.headers['request-id'], tap.entries.length]).toEqual(['{"id":""}', undefined, 0]);
  });

  test('the handle, the context and spans of the handler are those of the request, after an await too', async () => {
    const seen: unknown[] = [];
    const port = await serve({ [CHAT]: async ({ json }, { trace }) => {
      await delay(1);
      const inner = otel.getTracer('app').startSpan('work');
      seen.push(currentTrace()?.requestId === trace.requestId, currentTraceContext()?.requestId === trace.requestId, inner.spanContext().traceId === trace.traceId);
      inner.end();
      return json(200, completion);
    } });
    await post(port);
    await tap.next('request completed');
    expect(seen).toEqual([true, true, true]);
    await until('both spans', () => exporter.getFinishedSpans().length === 2);
    const [work, request] = exporter.getFinishedSpans();
    expect(work!.parentSpanContext?.spanId).toBe(request!.spanContext().spanId);
  });
});
