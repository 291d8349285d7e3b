import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { context, ROOT_CONTEXT, SpanKind, trace, type SpanContext } from '@opentelemetry/api';
import { identify, requestIdsOf } from '../../src/middleware/identity.js';
import { readTracing, type DynamoTracingOptions } from '../../src/middleware/options.js';
import { startSdk, type Sdk } from '../spans/support.js';

const UUID = '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b';
const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** A request as far as it is read here: headers as Node joins them, and as they came. */
function inbound(...lines: readonly (readonly [string, string])[]): IncomingMessage {
  const headers: Record<string, string> = {};
  for (const [name, value] of lines) headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  return { headers, rawHeaders: lines.flat() } as unknown as IncomingMessage;
}
const tracing = (options: DynamoTracingOptions = {}) => readTracing('dynamoTracing', { logger: false, ...options });
const remoteOf = (ctx: typeof ROOT_CONTEXT): SpanContext | undefined => trace.getSpanContext(ctx);

describe('who a request is', () => {
  test('the ids of its headers, and the trace that it continues', () => {
    const { ids, parent, links, isInside, serverSpan } = identify(tracing(), inbound(['request-id', UUID], ['x-request-id', 'order-42'], ['traceparent', PARENT]), undefined);
    expect(ids).toMatchObject({ requestId: UUID, xRequestId: 'order-42' });
    expect(remoteOf(parent)).toMatchObject({ traceId: PARENT.slice(3, 35), spanId: '00f067aa0ba902b7', isRemote: true });
    expect([links, isInside, serverSpan]).toEqual([undefined, false, undefined]);
  });

  test('a header that came twice is no id, over HTTP/2 too, where it has no list of its own', () => {
    expect(identify(tracing(), inbound(['request-id', UUID], ['request-id', UUID]), undefined).ids).toMatchObject({ invalid: [{ header: 'request-id' }] });
    expect(identify(tracing(), inbound(['x-request-id', 'a'], ['x-request-id', 'b']), undefined).ids).toMatchObject({ xRequestId: undefined, droppedXRequestId: true });
  });

  test('a comma inside one value is a part of it', () => {
    expect(identify(tracing(), inbound(['x-request-id', 'a, b']), undefined).ids.xRequestId).toBe('a, b');
  });

  test.each<[string, DynamoTracingOptions['trustIncoming']]>([
    ['false', false], ['a function that returns false', () => false], ['a function that throws', () => { throw new Error('planted'); }], ['a promise, which is no answer', (() => Promise.resolve(true)) as unknown as () => boolean],
  ])('with trustIncoming %s the ids are ignored and the trace becomes a link', (_title, trustIncoming) => {
    const { ids, parent, links } = identify(tracing({ trustIncoming: trustIncoming! }), inbound(['request-id', UUID], ['x-request-id', 'order-42'], ['traceparent', PARENT]), undefined);
    expect(ids.requestId).not.toBe(UUID);
    expect(ids.xRequestId).toBeUndefined();
    expect(remoteOf(parent)).toBeUndefined();
    expect(links?.map((link) => link.context.spanId)).toEqual(['00f067aa0ba902b7']);
  });

  test('ids that were asked for before the request begins are the same afterwards', () => {
    const req = inbound();
    const before = requestIdsOf(tracing(), req);
    expect(identify(tracing(), req, undefined).ids).toBe(before);
  });
});

describe("beside somebody else's span", () => {
  let sdk: Sdk;
  beforeEach(() => {
    sdk = startSdk();
  });
  afterEach(() => sdk.stop());

  test('inside a live span the headers are not read again: whoever made it has continued them', () => {
    const span = trace.getTracer('test').startSpan('outer', {}, ROOT_CONTEXT);
    const found = context.with(trace.setSpan(ROOT_CONTEXT, span), () => identify(tracing(), inbound(['traceparent', PARENT]), undefined));
    expect(found).toMatchObject({ isInside: true, links: undefined });
    expect(remoteOf(found.parent)?.spanId).toBe(span.spanContext().spanId);
  });

  test('one warning says that an instrumentation has continued a trace that is not trusted', () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const remote = trace.setSpanContext(ROOT_CONTEXT, { traceId: PARENT.slice(3, 35), spanId: '00f067aa0ba902b7', traceFlags: 1, isRemote: true });
    for (let i = 0; i < 2; i += 1) {
      const span = trace.getTracer('test').startSpan('GET', { kind: SpanKind.SERVER }, remote);
      context.with(trace.setSpan(ROOT_CONTEXT, span), () => identify(tracing({ trustIncoming: false }), inbound(['traceparent', PARENT]), undefined));
    }
    expect(warn.mock.calls.map(([message]) => String(message))).toEqual([expect.stringContaining('untrustedPropagator()')]);
    warn.mockRestore();
  });
});
