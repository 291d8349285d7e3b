import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type TextMapPropagator } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { onBodyEnd } from '../../src/outbound/body-end.js';
import { tracedFetch } from '../../src/outbound/index.js';
import { DynamoPropagator, runInContext, setTraceScope } from '../../src/trace-context/index.js';
import { startSdk, type Sdk } from '../spans/support.js';
import { until } from '../support/until.js';
import { copied, scope, startUpstream, type Upstream } from './support.js';

let upstream: Upstream;
let url: string;
/** The response of a request to /open: its head and first bytes are out. */
let open: ServerResponse;
let sdk: Sdk;

beforeAll(async () => {
  upstream = await startUpstream((req, res) => {
    const [, kind, status] = /^\/(\w+)\/?(\d*)/.exec(req.url ?? '') ?? [];
    if (kind === 'open') (open = res).write('first');
    else if (kind === 'never') open = res;
    else if (kind === 'status') res.writeHead(Number(status)).end(status === '204' ? undefined : 'text of the upstream');
    else if (kind === 'zero') res.setHeader('content-length', 0).end();
    else res.end('ok');
  });
  url = upstream.url;
});
afterAll(() => upstream.close());
beforeEach(() => {
  sdk = startSdk();
  upstream.arrived.splice(0);
});
afterEach(() => sdk.stop());

const ended = async (): Promise<ReadableSpan> => {
  await until('one ended span', () => sdk.ended().length === 1);
  return sdk.ended()[0]!;
};

describe('the span of tracedFetch', () => {
  it('is a CLIENT span by the semantic conventions, child of the current span, and what the traceparent names', async () => {
    await trace.getTracer('app').startActiveSpan('server', {}, setTraceScope(ROOT_CONTEXT, scope), async (server) => {
      await (await tracedFetch(`${url}/v1/x?key=secret#part`, { method: 'post', body: '{}' })).text();
      const span = await ended();
      expect(span).toMatchObject({ name: 'POST', kind: SpanKind.CLIENT, status: { code: SpanStatusCode.UNSET }, parentSpanContext: { spanId: server.spanContext().spanId } });
      expect(span.attributes).toEqual({
        'http.request.method': 'POST', 'http.request.method_original': 'post', 'server.address': '127.0.0.1', 'server.port': upstream.port, 'url.full': `${url}/v1/x`,
        'http.response.status_code': 200, request_id: scope.requestId, x_request_id: scope.xRequestId,
      });
      expect(upstream.arrived[0]?.lines('traceparent')).toEqual([`00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`]);
    });
  });

  it('has no name of its caller\'s making for a method that no specification knows', async () => {
    await (await tracedFetch(url, { method: 'BREW' })).text();
    expect(await ended()).toMatchObject({ name: 'HTTP', attributes: { 'http.request.method': '_OTHER', 'http.request.method_original': 'BREW' } });
  });

  it.each([400, 404, 500, 503])('has the error status for an answer of %i', async (status) => {
    await (await tracedFetch(`${url}/status/${status}`)).text();
    expect(await ended()).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { 'http.response.status_code': status, 'error.type': String(status) } });
  });

  it.each<[string, string, RequestInit]>([['204', '/status/204', {}], ['HEAD', '/status/200', { method: 'HEAD' }], ['a length of 0', '/zero', {}]])('ends with the head when there is no body: %s', async (_what, path, init) => {
    await tracedFetch(url + path, init);
    expect(sdk.ended()).toHaveLength(1);
  });

  it('ends when the last byte has been read, not with the head', async () => {
    const response = await tracedFetch(`${url}/open`);
    const reader = response.body!.getReader();
    await reader.read();
    expect(sdk.ended()).toEqual([]);
    open.end();
    expect(await reader.read()).toMatchObject({ done: true });
    expect((await ended()).status.code).toBe(SpanStatusCode.UNSET);
  });

  it('ends when the caller cancels the body', async () => {
    const response = await tracedFetch(`${url}/open`);
    for await (const _chunk of response.body!) break;
    expect((await ended()).status.code).toBe(SpanStatusCode.UNSET);
  });

  it('ends with an error when the body is cut', async () => {
    const response = await tracedFetch(`${url}/open`);
    open.destroy();
    await expect(response.text()).rejects.toThrow();
    expect(await ended()).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { 'http.response.status_code': 200, 'error.type': 'UND_ERR_SOCKET' } });
  });

  it('ends with the code of the error, and without its message, when the call fails', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => closed.once('listening', resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    await expect(tracedFetch(`http://127.0.0.1:${port}/v1`)).rejects.toThrow('fetch failed');
    const { attributes, status, events } = await ended();
    expect([attributes['error.type'], status, events]).toEqual(['ECONNREFUSED', { code: SpanStatusCode.ERROR, message: '' }, []]);
  });

  it.each<[string, string, boolean]>([['before the head', '/never', false], ['in the body', '/open', true]])('ends without an error when its caller aborts %s', async (_when, path, head) => {
    const abort = new AbortController();
    const call = tracedFetch(url + path, { signal: abort.signal });
    if (head) await call;
    else await until('the request', () => upstream.arrived.length === 1);
    abort.abort(new Error('my reason'));
    await expect(head ? (await call).text() : call).rejects.toThrow();
    expect(await ended()).toMatchObject({ status: { code: SpanStatusCode.UNSET }, attributes: expect.not.objectContaining({ 'error.type': expect.anything() }) });
  });

  it('ends with an error when a timeout aborts it', async () => {
    await expect(tracedFetch(`${url}/never`, { signal: AbortSignal.timeout(20) })).rejects.toThrow();
    expect(await ended()).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': 'TimeoutError' } });
  });

  it('takes no credentials, query or fragment of the URL', async () => {
    await expect(tracedFetch(`http://user:secret@127.0.0.1:${upstream.port}/v1?key=secret#secret`)).rejects.toThrow('credentials');
    expect(JSON.stringify((await ended()).attributes)).not.toContain('secret');
  });
});

describe('a body that is not read', () => {
  const CHECK_MS = 5;
  /** How it ended: with what error, and whether as of the moment when the head came. */
  const watched = async (path: string, use: (response: Response) => unknown): Promise<[error: unknown, withTheHead: boolean]> => {
    const response = await fetch(url + path);
    const from = performance.now();
    const ending = new Promise<[unknown, number | undefined]>((resolve) => onBodyEnd(response, (error, at) => resolve([error, at]), CHECK_MS));
    const to = performance.now();
    await use(response);
    const [error, at] = await ending;
    return [error, at !== undefined && from <= at && at <= to];
  };

  it('counts as ended with the head, though its caller keeps it', async () => {
    expect(await watched('/open', (response) => void keep.push(response))).toEqual([undefined, true]);
    open.end();
  });

  it('is waited for once its caller has begun to read', async () => {
    const end = await watched('/open', async (response) => {
      await response.clone().body!.getReader().read();
      // Timers of one length fire in the order in which they were set: each of these has a check before it.
      for (let check = 0; check < 3; check += 1) await new Promise((resolve) => setTimeout(resolve, CHECK_MS));
      open.end();
      await response.text();
    });
    expect(end).toEqual([undefined, false]);
  });

  const keep: Response[] = [];
});

describe('beside an instrumentation of fetch', () => {
  /** What @opentelemetry/instrumentation-undici does when a request is created. */
  const instrument = (message: unknown): void => {
    const { request } = message as { request: { method: string; addHeader(name: string, value: string): void } };
    const span = trace.getTracer('undici').startSpan(request.method, { kind: SpanKind.CLIENT });
    const headers: Record<string, string> = {};
    propagation.inject(trace.setSpan(context.active(), span), headers);
    for (const [name, value] of Object.entries(headers)) request.addHeader(name, value);
    span.end();
  };
  beforeEach(() => subscribe('undici:request:create', instrument));
  afterEach(() => {
    unsubscribe('undici:request:create', instrument);
    propagation.disable();
  });
  const names = ['traceparent', 'tracestate', 'x-request-id', 'request-id'];

  it.each<[string, () => TextMapPropagator]>([
    ['the W3C propagator', () => new W3CTraceContextPropagator()],
    ['ours', () => new DynamoPropagator()],
    ['ours with request ids', () => new DynamoPropagator({ requestIds: true })],
  ])('one call is one span, and each header leaves once: with %s', async (_which, propagator) => {
    propagation.setGlobalPropagator(propagator());
    await runInContext(setTraceScope(ROOT_CONTEXT, scope), async () => (await tracedFetch(url, { headers: copied })).text());
    const span = await ended();
    expect(names.map((name) => upstream.arrived[0]?.lines(name))).toEqual([[`00-${scope.traceId}-${span.spanContext().spanId}-01`], ['foo=1'], ['mine'], [scope.requestId]]);
  });

  it('plain fetch has its traceparent from the instrumentation and its request ids from our propagator, once each', async () => {
    propagation.setGlobalPropagator(new DynamoPropagator({ requestIds: true }));
    await runInContext(setTraceScope(ROOT_CONTEXT, scope), async () => (await fetch(url)).text());
    const span = await ended();
    expect(names.map((name) => upstream.arrived[0]?.lines(name))).toEqual([[`00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`], [], ['mine'], [scope.requestId]]);
  });
});

describe('a fault of telemetry', () => {
  it.each<[string, () => void]>([
    ['a tracer that throws', () => trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan: fails, startActiveSpan: fails }) })],
    ['a span that throws at everything', () => trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan: () => new Proxy(trace.wrapSpanContext({ ...scope, traceState: undefined } as never), { get: fails }), startActiveSpan: fails }) })],
  ])('does not break the call: %s', async (_what, register) => {
    trace.disable();
    register();
    expect(await (await tracedFetch(url)).text()).toBe('ok');
  });

  it('does not break the call: a response that nothing can be read from', async () => {
    const real = globalThis.fetch;
    const odd: unknown = new Proxy({}, { get: (_target, name) => (name === 'then' ? undefined : fails()) });
    globalThis.fetch = (() => Promise.resolve(odd)) as typeof fetch;
    try {
      expect(await tracedFetch(url)).toBe(odd);
      expect(sdk.ended()).toHaveLength(1);
    } finally {
      globalThis.fetch = real;
    }
  });

  function fails(): never {
    throw new Error('telemetry is broken');
  }
});
