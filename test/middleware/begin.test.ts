import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { context, ROOT_CONTEXT, SpanKind, trace, type ContextManager, type Span } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { dynamoTracing, type DynamoTracingOptions, type RequestTrace } from 'dynamo-tracing';
import { CHAT, post, rawRequest } from '../support/client.js';
import { EXPRESS, FRAMEWORKS, type TestServer } from '../support/frameworks.js';
import { closeAfterEach, listening } from '../support/listening.js';
import { RecordTap } from '../support/records.js';

const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
const warnings = (): string[] => warn.mock.calls.map(([text]) => String(text));
const never = (what: string) => (): never => {
  throw new Error(`${what} is broken`);
};

let tap: RecordTap;
let server: TestServer | undefined;
beforeEach(() => {
  warn.mockClear();
  tap = new RecordTap();
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  trace.disable();
  context.disable();
  tap.stop();
});
closeAfterEach();

/** Two requests, because a fault is to be reported once for both; their handles as the handlers found them. */
async function twice(start: typeof FRAMEWORKS[number]['start'], tracing: DynamoTracingOptions = {}): Promise<RequestTrace[]> {
  const handles: RequestTrace[] = [];
  server = await start({ tracing: { logger: false, ...tracing }, native: { [CHAT]: (answers, { trace: handle }) => {
    handles.push(handle);
    return answers.json(200, {});
  } } });
  for (let n = 1; n <= 2; n += 1) {
    expect((await post(server.port)).status).toBe(200);
    expect(await tap.next('request completed', n)).toMatchObject({ status: 'success', model: 'm' });
  }
  return handles;
}

const goodContext = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 1 };
const GOOD = { spanContext: () => goodContext, isRecording: () => true };
const chained = (): unknown => new Proxy(GOOD, { get: (target, name) => (name in target ? target[name as keyof typeof GOOD] : chained) });
const spanThat = (parts: Record<string, unknown>): Span => new Proxy(GOOD, { get: (target, name) => parts[String(name)] ?? (target as Record<PropertyKey, unknown>)[name] ?? chained }) as unknown as Span;

describe.each(FRAMEWORKS.map((framework, i) => ({ ...framework, first: i === 0 })))('on $name a request is answered, has its handle and leaves its record', ({ first, start }) => {
  // A fault is reported once for the process: the first framework of this file sees it.
  test.each<[string, string, () => Span]>([
    ['startSpan throws', 'tracer.startSpan failed: startSpan is broken (reported once)', never('startSpan')],
    ['spanContext throws', '', () => spanThat({ spanContext: never('spanContext') })],
    ['setAttributes throws', 'span.setAttributes failed: setAttributes is broken (reported once)', () => spanThat({ setAttributes: never('setAttributes') })],
    ['end throws', 'span.end failed: end is broken (reported once)', () => spanThat({ end: never('end') })],
  ])('although %s, and that is said once', async (_what, warning, startSpan) => {
    trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan, startActiveSpan: startSpan }) as never });
    for (const handle of await twice(start)) expect(handle.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(warnings()).toEqual(first && warning !== '' ? [warning] : []);
  });

  const active = (span: Span): Partial<ContextManager> => ({ active: () => trace.setSpan(ROOT_CONTEXT, span) });
  const badState = { ...goodContext, traceState: { serialize: never('traceState.serialize') } };

  test.each<[string, Partial<ContextManager>]>([
    ['active throws', { active: never('active') }],
    ['active returns nothing', { active: () => undefined as never }],
    ['active returns a context that throws', { active: () => ({ getValue: never('getValue'), setValue: never('setValue'), deleteValue: never('deleteValue') }) }],
    ['active returns a context that cannot be changed', { active: () => ({ getValue: () => undefined, setValue: never('setValue'), deleteValue: never('deleteValue') }) }],
    ['with throws before it calls', { with: never('with') }],
    ['with throws after it has called', { with: ((_ctx: unknown, fn: () => unknown) => (fn(), never('with')())) as never }],
    ['with returns something else', { with: ((_ctx: unknown, fn: () => unknown) => (fn(), 'other')) as never }],
    ['active has a span whose spanContext throws', active(spanThat({ spanContext: never('spanContext') }))],
    ['active has a span without a spanContext', active(spanThat({ spanContext: () => undefined }))],
    ['active has a span whose traceState throws', active(spanThat({ spanContext: () => badState }))],
    ['active has a server span whose traceState throws', active(spanThat({ kind: SpanKind.SERVER, spanContext: () => badState }))],
    ['active has a server span that throws at each thing', active(new Proxy({} as Span, { get: (_, name) => never(String(name))() }))],
  ])("although the context manager's %s", async (_what, parts) => {
    const manager: ContextManager = { active: () => ROOT_CONTEXT, with: (_ctx, fn, self, ...args) => fn.apply(self as never, args), bind: (_ctx, target) => target, enable: () => manager, disable: () => manager, ...parts };
    context.setGlobalContextManager(manager);
    for (const handle of await twice(start)) expect([handle.traceId, handle.headers()]).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), expect.objectContaining({ 'request-id': handle.requestId })]);
  });

  test('although the traceState of the started span throws', async () => {
    let ended = 0;
    trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan: () => spanThat({ spanContext: () => badState, end: () => (ended += 1) }) }) as never });
    for (const handle of await twice(start)) expect(handle.traceId).toBe(goodContext.traceId);
    expect(ended).toBe(2);
  });

  test.each<[string, DynamoTracingOptions]>([
    ['throws', { classify: never('classify') }],
    ['says an unknown dialect', { classify: () => ({ dialect: 'none' as never }) }],
    ['says an unknown kind', { classify: () => ({ kind: 'none' as never }) }],
    ['returns a promise that rejects', { classify: (() => Promise.reject(new Error('later'))) as never }],
  ])('although classify %s: the table decides', async (_what, options) => {
    await twice(start, options);
    expect(tap.of('request completed').map(({ fields }) => fields['endpoint'])).toEqual(['chat_completions', 'chat_completions']);
  });

  test.each<[string, DynamoTracingOptions]>([
    ['returns a promise of true', { ignore: (() => Promise.resolve(true)) as never }],
    ['returns a promise that rejects', { ignore: (() => Promise.reject(new Error('later'))) as never }],
    ['throws', { ignore: never('ignore') }],
  ])('although ignore %s: it is not left alone', async (_what, options) => {
    for (const handle of await twice(start, options)) expect(handle.requestId).not.toBe('');
  });
});

describe.each(EXPRESS)('on %s', (_name, express) => {
  test.each<[string, PropertyDescriptor]>([
    ['a getter without a setter', { configurable: true, get: () => 'theirs' }],
    ['a setter that throws', { configurable: true, get: () => 'theirs', set: never('the setter') }],
  ])('a request whose trace is %s gets its handle all the same', async (_what, descriptor) => {
    const app = express();
    app.use((req, _res, next) => {
      Object.defineProperty(req, 'trace', descriptor);
      next();
    });
    app.use(dynamoTracing({ logger: false }));
    app.post(CHAT, (req, res) => void res.json({ id: req.trace.requestId }));
    const { status, body, headers } = await post(await listening(app.listen(0, '127.0.0.1')));
    expect([status, (JSON.parse(body) as { id: string }).id]).toEqual([200, headers['request-id']]);
  });

  test('a request whose trace cannot be replaced at all is answered and recorded', async () => {
    const app = express();
    app.use((req, _res, next) => {
      Object.defineProperty(req, 'trace', { value: 'theirs', writable: false, configurable: false });
      next();
    });
    app.use(dynamoTracing({ logger: false }));
    app.post(CHAT, (req, res) => void res.json(req.trace));
    expect(await post(await listening(app.listen(0, '127.0.0.1')))).toMatchObject({ status: 200, body: '"theirs"' });
    expect(await tap.next('request completed')).toMatchObject({ status: 'success' });
  });

  test('a response whose head is out before the middleware runs goes on as it was and ends its record', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.writeHead(200, { 'content-type': 'application/json' });
      res.flushHeaders();
      next();
    });
    app.use(dynamoTracing({ logger: false }));
    app.post(CHAT, (_req, res) => void res.end('{"usage":{"prompt_tokens":1,"completion_tokens":2}}'));
    const { status, headers } = await post(await listening(app.listen(0, '127.0.0.1')));
    expect([status, headers['request-id']]).toEqual([200, undefined]);
    expect(await tap.next('request completed')).toMatchObject({ status: 'success' });
  });

  test('fifteen pipelined requests put no more than ten listeners on their connection, and each ends once', async () => {
    const app = express();
    const waiting: (() => void)[] = [];
    app.use(dynamoTracing({ logger: false }));
    app.post(CHAT, (_req, res) => void waiting.push(() => res.end('{}')));
    const http = app.listen(0, '127.0.0.1');
    const accepted = once(http, 'connection') as Promise<[Socket]>;
    const client = connect(await listening(http), '127.0.0.1');
    client.resume().write(Array.from({ length: 15 }, (_, i) => rawRequest(CHAT, '{}', { 'x-request-id': `p${i}` })).join(''));
    const [socket] = await accepted;
    while (waiting.length < 15) await new Promise((resolve) => setImmediate(resolve));
    expect(Math.max(...socket.eventNames().map((event) => socket.listenerCount(event as string)))).toBeLessThanOrEqual(10);
    waiting.forEach((answer) => answer());
    await tap.until(() => tap.of('request completed').length >= 15, 'fifteen completions');
    client.destroy();
    expect(tap.of('request completed').map(({ scope }) => scope?.xRequestId).sort()).toEqual(Array.from({ length: 15 }, (_, i) => `p${i}`).sort());
  });
});
