import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { INVALID_SPAN_CONTEXT, ROOT_CONTEXT, SpanKind, trace, type Attributes, type Context, type Span } from '@opentelemetry/api';
import { RPCType, setRPCMetadata } from '@opentelemetry/core';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { findServerSpan, holdOpen } from '../../src/middleware/server-span.js';

const exporter = new InMemorySpanExporter();
const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).getTracer('test');
const start = (kind: SpanKind, attributes: Attributes = {}): Span => tracer.startSpan('x', { kind, attributes }, ROOT_CONTEXT);
const inside = (span: Span, ctx: Context = ROOT_CONTEXT): Context => trace.setSpan(ctx, span);
const withMetadata = (span: Span): Context => setRPCMetadata(ROOT_CONTEXT, { type: RPCType.HTTP, span });

const IDS = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', traceFlags: 1 };
/** A span of Sentry 11: no kind, no attributes, no metadata in the context. test/field has the real ones. */
const sentry = (spanId: string, own: object): Span => ({ spanContext: () => ({ ...IDS, spanId }), ...own }) as unknown as Span;
const SENTRY_SERVER = { 'sentry.kind': 'server', 'http.request.method': 'POST' };

/** Spans of one trace of Datadog: its own, and those that its context manager hands out for OpenTelemetry's API. */
class DatadogTrace {
  readonly started: DatadogSpan[] = [];

  start(kind: string | undefined): DatadogSpan {
    const span = new DatadogSpan(this, `b00000000000000${this.started.length}`, kind);
    this.started.push(span);
    return span;
  }
}

class DatadogSpan {
  _duration: number | undefined;
  readonly #context: Record<string, unknown>;

  constructor(owner: DatadogTrace, readonly id: string, kind: string | undefined) {
    this.#context = { id, _tags: { 'span.kind': kind }, _trace: owner };
  }

  context(): Record<string, unknown> {
    return this.#context;
  }

  finish(at = 1): void {
    this._duration ??= at;
  }

  /** What the context manager does with the active span. */
  activated(): Span {
    const context = new DatadogContext(this.#context);
    const proxy = new ActiveSpanProxy(this, context);
    Object.assign(this.#context, { _otelSpanContext: context, _otelActiveSpan: proxy });
    return proxy as unknown as Span;
  }
}

class DatadogContext {
  readonly traceId = IDS.traceId;
  readonly traceFlags = 1;
  constructor(private readonly context: Record<string, unknown>) {}

  get spanId(): unknown {
    return this.context['id'];
  }
}

class ActiveSpanProxy {
  constructor(readonly _ddSpan: DatadogSpan, private readonly context: DatadogContext) {}

  get ended(): boolean {
    return this._ddSpan._duration !== undefined;
  }

  spanContext(): DatadogContext {
    return this.context;
  }

  end(): void {
    // Datadog's span is ended by its own `finish`.
  }
}

describe('findServerSpan takes', () => {
  test('the span that the HTTP instrumentation has left in the context, before all others', () => {
    const span = start(SpanKind.SERVER);
    expect(findServerSpan(inside(start(SpanKind.SERVER), withMetadata(span)), start(SpanKind.INTERNAL))).toBe(span);
  });

  test("the framework plugin's own, whatever its kind, before the active one", () => {
    const hint = start(SpanKind.INTERNAL);
    expect(findServerSpan(inside(start(SpanKind.SERVER)), hint)).toBe(hint);
  });

  test('the active span of kind SERVER', () => {
    const span = start(SpanKind.SERVER);
    expect(findServerSpan(inside(span))).toBe(span);
  });

  test.each(['http.request.method', 'http.method'])('the active span of another kind that has the attribute %s', (name) => {
    const span = start(SpanKind.INTERNAL, { [name]: 'POST' });
    expect(findServerSpan(inside(span))).toBe(span);
  });

  test.each<[string, object]>([
    ['with a kind and attributes (Sentry 10)', { kind: SpanKind.SERVER }],
    ['without them (Sentry 11)', { _attributes: SENTRY_SERVER }],
    ['by the method alone', { _attributes: { 'http.request.method': 'POST' } }],
  ])("Sentry's server span above the active one, before the framework plugin's, %s", (_shape, own) => {
    const root = sentry('a000000000000001', own);
    const active = sentry('a000000000000002', { _attributes: { 'sentry.op': 'middleware' }, _sentryRootSpan: root });
    expect(findServerSpan(inside(active), start(SpanKind.INTERNAL))).toBe(root);
  });

  test("Sentry's server span when it is the active one", () => {
    const root = sentry('a000000000000001', { _attributes: SENTRY_SERVER });
    expect(findServerSpan(inside(root))).toBe(root);
  });

  test("Datadog's server span when it is the active one", () => {
    const active = new DatadogTrace().start('server').activated();
    expect(findServerSpan(inside(active))).toBe(active);
  });

  test.each([true, false])("Datadog's server span above the active one, known to OpenTelemetry's API: %s", (isKnown) => {
    const datadog = new DatadogTrace();
    const server = datadog.start('server');
    const known = isKnown ? server.activated() : undefined;
    const found = findServerSpan(inside(datadog.start(undefined).activated()));
    expect(found).toMatchObject({ _ddSpan: server });
    expect(found?.spanContext()).toMatchObject({ spanId: 'b000000000000000' });
    if (isKnown) expect(found).toBe(known);
  });
});

describe('findServerSpan does not take', () => {
  const ended = start(SpanKind.SERVER);
  const endedSentry = sentry('a000000000000001', { _attributes: SENTRY_SERVER, _endTime: 1 });
  const clientOfSentry = sentry('a000000000000001', { _attributes: { 'sentry.kind': 'client', 'http.request.method': 'GET' } });
  const belowJob = sentry('a000000000000002', { _sentryRootSpan: sentry('a000000000000001', { _attributes: { 'sentry.op': 'task' } }) });
  ended.end();

  test.each<[string, Span]>([
    ['a span that has ended', ended],
    ['a remote span', trace.wrapSpanContext({ ...IDS, spanId: 'a000000000000001', isRemote: true })],
    ['a span without ids', trace.wrapSpanContext(INVALID_SPAN_CONTEXT)],
  ])('%s, wherever it stands', (_what, span) => {
    expect(findServerSpan(inside(span))).toBeUndefined();
    expect(findServerSpan(withMetadata(span))).toBeUndefined();
    expect(findServerSpan(ROOT_CONTEXT, span)).toBeUndefined();
  });

  test.each<[string, Span]>([
    ['a CLIENT span, although it has a method', start(SpanKind.CLIENT, { 'http.request.method': 'GET' })],
    ['an INTERNAL span', start(SpanKind.INTERNAL)],
    ["Sentry's server span that has ended", endedSentry],
    ["Sentry's client span", clientOfSentry],
    ["Sentry's root that is no server's", belowJob],
  ])('%s', (_what, span) => {
    expect(findServerSpan(inside(span))).toBeUndefined();
  });

  test("Datadog's server span that is finished", () => {
    const datadog = new DatadogTrace();
    datadog.start('server').finish();
    expect(findServerSpan(inside(datadog.start(undefined).activated()))).toBeUndefined();
  });

  test("Datadog's server span above a span of the application's, whose class cannot be used for it", () => {
    const datadog = new DatadogTrace();
    datadog.start('server');
    const applications = new ActiveSpanProxy(datadog.start('internal'), new DatadogContext({ id: 'c000000000000001' }));
    expect(findServerSpan(inside(applications as unknown as Span))).toBeUndefined();
  });

  test('anything in an empty context', () => expect(findServerSpan(ROOT_CONTEXT)).toBeUndefined());
});

describe('a span that throws', () => {
  const broken = (): never => {
    throw new Error('broken');
  };
  beforeAll(() => {
    jest.spyOn(process, 'emitWarning').mockReturnValue();
  });
  afterAll(() => {
    jest.restoreAllMocks();
  });

  test.each<[string, object]>([
    ['at spanContext', { kind: SpanKind.SERVER, spanContext: broken }],
    ["in Datadog's private parts", { _ddSpan: { finish: broken, context: broken } }],
    ["where Datadog's private parts have another form", { _ddSpan: { context: () => ({ _tags: 1, _trace: { started: 1 } }) } }],
  ])('%s is not taken, and those after it still are', (_where, own) => {
    const span = sentry('a000000000000001', own);
    const hint = start(SpanKind.INTERNAL);
    expect(findServerSpan(inside(span))).toBeUndefined();
    expect(findServerSpan(inside(span), hint)).toBe(hint);
  });

  test('is not taken from what the HTTP instrumentation has left in the context either', () => {
    const active = start(SpanKind.SERVER);
    expect(findServerSpan(inside(active, withMetadata(sentry('a000000000000001', { spanContext: broken }))))).toBe(active);
  });

  test('one that cannot be held open is left as it is', () => {
    const span = Object.freeze(sentry('a000000000000001', { end: () => undefined }));
    expect(holdOpen(span, span)).toBeUndefined();
  });
});

describe('holdOpen', () => {
  const isOpen = (span: Span): boolean => span.isRecording();
  const plugins = (): [span: Span, release: () => void] => {
    const span = start(SpanKind.INTERNAL);
    return [span, holdOpen(span, span)!];
  };

  test("an end of the framework plugin's span that is asked for before the release comes with it", () => {
    const [span, release] = plugins();
    span.end();
    span.setAttribute('input_tokens', 7);
    expect(isOpen(span)).toBe(true);
    exporter.reset();
    release();
    expect(exporter.getFinishedSpans()).toMatchObject([{ attributes: { input_tokens: 7 } }]);
  });

  test('an end with a time keeps its time', () => {
    const [span, release] = plugins();
    span.end(new Date(4_000_000_000_000));
    exporter.reset();
    release();
    expect(exporter.getFinishedSpans()).toMatchObject([{ endTime: [4_000_000_000, 0] }]);
  });

  test('an end after the release comes at once', () => {
    const [span, release] = plugins();
    release();
    expect(isOpen(span)).toBe(true);
    span.end();
    expect(isOpen(span)).toBe(false);
  });

  test('an end that nobody asks for does not come', () => {
    const [span, release] = plugins();
    release();
    release();
    expect(isOpen(span)).toBe(true);
  });

  test('other spans are not held: they end when the response has closed', () => {
    const span = start(SpanKind.SERVER);
    expect(holdOpen(span, start(SpanKind.INTERNAL))).toBeUndefined();
    span.end();
    expect(isOpen(span)).toBe(false);
  });

  test("Datadog's span is held at its own finish", () => {
    const server = new DatadogTrace().start('server');
    const release = holdOpen(server.activated());
    server.finish(5);
    expect(server._duration).toBeUndefined();
    release?.();
    expect(server._duration).toBe(5);
  });

  test("Datadog's span finishes at once after the release, and not by it", () => {
    const server = new DatadogTrace().start('server');
    holdOpen(server.activated())?.();
    expect(server._duration).toBeUndefined();
    server.finish(5);
    expect(server._duration).toBe(5);
  });
});
