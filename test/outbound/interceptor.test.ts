import { ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { tracedFetch, traceInterceptor } from 'dynamo-tracing';
import { activeContext, isTracingSuppressed, runInContext, setTraceScope, suppressTracing } from '../../src/trace-context/index.js';
import { startSdk, type Sdk } from '../spans/support.js';
import { until } from '../support/until.js';
import { childTraceparent, copied, scope, startUpstream, type Upstream } from './support.js';

type Dispatch = (options: Record<string, unknown>, handler: Record<string, unknown>) => boolean;
interface Dispatcher {
  dispatch: Dispatch;
  compose(...interceptors: ((dispatch: Dispatch) => Dispatch)[]): Dispatcher;
}
const inScope = <T>(fn: () => T): T => runInContext(setTraceScope(ROOT_CONTEXT, scope), fn);

// The undici that Node itself brings: version 6 in Node 20 and 22, 7 and later in newer ones.
describe('traceInterceptor, composed onto the dispatcher of Node\'s fetch', () => {
  let upstream: Upstream;
  let composed: Dispatcher;
  let sdk: Sdk;
  beforeAll(async () => {
    upstream = await startUpstream((req, res) => {
      if (req.url === '/cut') return void res.write('first', () => res.destroy());
      res.writeHead(Number(/^\/status\/(\d+)/.exec(req.url ?? '')?.[1] ?? 200), { connection: 'close' }).end('ok');
    });
    await (await fetch(upstream.url)).text(); // the dispatcher is made for the first call
    const nodes = (fetch.constructor as (code: string) => () => Record<symbol, unknown>)('return globalThis')(); // jest's own global is another
    const agent = nodes[Symbol.for('undici.globalDispatcher.1')] as Dispatcher;
    composed = agent.compose(traceInterceptor());
  });
  afterAll(() => upstream.close());
  beforeEach(() => {
    sdk = startSdk();
    upstream.arrived.splice(0);
  });
  afterEach(() => sdk.stop());

  const call = (path: string, init: RequestInit = {}): Promise<Response> => fetch(upstream.url + path, { ...init, dispatcher: composed } as unknown as RequestInit);
  const span = async () => {
    await until('the span', () => sdk.ended().length === 1);
    return sdk.ended()[0]!;
  };

  it('makes one span of a call, and the headers of the trace replace those that were copied', async () => {
    expect(await inScope(async () => (await call('/v1//x?key=secret', { method: 'POST', headers: copied, body: '{}' })).text())).toBe('ok');
    const { spanId } = (await span()).spanContext();
    expect((await span()).attributes).toMatchObject({ 'http.request.method': 'POST', 'url.full': `${upstream.url}/v1//x`, 'http.response.status_code': 200, request_id: scope.requestId });
    const [request] = upstream.arrived;
    expect(['traceparent', 'tracestate', 'x-request-id', 'request-id', 'accept'].map((name) => request?.lines(name))).toEqual([[`00-${scope.traceId}-${spanId}-01`], ['foo=1'], ['mine'], [scope.requestId], ['text/plain']]);
  });

  it('marks an answer of 400 and above, and a body that is cut, as failed', async () => {
    await (await call('/status/503')).text();
    expect(await span()).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { 'error.type': '503' } });
    sdk.stop();
    sdk = startSdk();
    await expect(call('/cut').then((response) => response.text())).rejects.toThrow();
    expect(await span()).toMatchObject({ status: { code: SpanStatusCode.ERROR }, attributes: { 'http.response.status_code': 200, 'error.type': 'UND_ERR_SOCKET' } });
  });

  it('leaves a call of tracedFetch to tracedFetch: one span, one traceparent', async () => {
    await inScope(async () => (await tracedFetch(upstream.url, { dispatcher: composed } as unknown as RequestInit)).text());
    await span();
    expect(upstream.arrived[0]?.lines('traceparent')).toEqual([expect.stringMatching(childTraceparent)]);
  });

  it('lets a call pass as it is where tracing is suppressed, such as an exporter\'s', async () => {
    await runInContext(suppressTracing(ROOT_CONTEXT), async () => (await call('/')).text());
    expect([upstream.arrived[0]?.lines('traceparent'), sdk.ended()]).toEqual([[], []]);
  });

  it('runs the caller\'s handler in the caller\'s context, where its spans are made', async () => {
    const seen: boolean[] = [];
    const parent = setTraceScope(ROOT_CONTEXT, scope);
    await new Promise<void>((resolve, reject) => {
      const note = (): true => (seen.push(isTracingSuppressed(activeContext()), activeContext() === parent), true);
      const handler = { onConnect: note, onHeaders: note, onData: note, onComplete: () => (note(), resolve()), onError: reject };
      runInContext(parent, () => composed.dispatch({ origin: upstream.url, path: '/', method: 'GET' }, handler));
    });
    expect(new Set(seen.filter((_, i) => i % 2 === 0))).toEqual(new Set([false]));
    expect(new Set(seen.filter((_, i) => i % 2 === 1))).toEqual(new Set([true]));
  });

  it.each<[string, unknown]>([
    ['a flat list', ['TraceParent', 'old', 'cookie', 'a=1', 'cookie', 'b=2']],
    ['pairs', new Map<string, string | string[]>([['TraceParent', 'old'], ['cookie', ['a=1', 'b=2']]])],
    ['a record', { TraceParent: 'old', cookie: ['a=1', 'b=2'] }],
    ['none', null],
  ])('takes headers in every form that undici takes: %s', async (_form, headers) => {
    await new Promise<void>((resolve, reject) => {
      inScope(() => composed.dispatch({ origin: new URL(upstream.url), path: '/', method: 'GET', headers }, { onConnect: () => undefined, onHeaders: () => true, onData: () => true, onComplete: () => resolve(), onError: reject }));
    });
    expect(upstream.arrived[0]?.lines('traceparent')).toEqual([expect.stringMatching(childTraceparent)]);
    expect(upstream.arrived[0]?.lines('cookie').join('; ')).toBe(headers === null ? '' : 'a=1; b=2');
  });

  it('throws what undici throws, and ends the span', async () => {
    expect(() => composed.dispatch({ origin: upstream.url, path: '/', method: 'bad method' }, { onConnect: () => undefined, onHeaders: () => true, onData: () => true, onComplete: () => undefined, onError: (error: Error) => { throw error; } })).toThrow('method');
    expect((await span()).status.code).toBe(SpanStatusCode.ERROR);
    expect(trace.getSpan(activeContext())).toBeUndefined();
  });
});
