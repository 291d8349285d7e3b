/** What calls that leave are given by code of others: the caller gets what fetch itself, or undici, would have given it. */
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { injectTrace, tracedFetch, traceInterceptor, traceProxyReq, untrustedPropagator } from 'dynamo-tracing';
import { runInContext, setTraceScope } from '../../src/trace-context/index.js';
import { scope, startUpstream, type Upstream } from '../outbound/support.js';
import { until } from '../support/until.js';

const rejections: unknown[] = [];
const warnings: string[] = [];
const collectRejection = (reason: unknown): void => void rejections.push(reason);
let upstream: Upstream;
let [started, ended] = [0, 0];
beforeAll(async () => {
  jest.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)));
  process.on('unhandledRejection', collectRejection);
  upstream = await startUpstream((req, res) => (req.url === '/open' ? void res.write('first') : void res.setHeader('connection', 'close').end('ok')));
});
afterAll(async () => {
  process.off('unhandledRejection', collectRejection);
  await upstream.close();
});
beforeEach(() => {
  [started, ended] = [0, 0];
  const counter = { onStart: () => void (started += 1), onEnd: () => void (ended += 1), forceFlush: () => Promise.resolve(), shutdown: () => Promise.resolve() };
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [counter] }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  upstream.arrived.splice(0);
});
afterEach(() => {
  trace.disable();
  context.disable();
});

const planted = (): never => { throw new Error('planted'); };
const trap = (): never => new Proxy({}, { get: planted, getPrototypeOf: planted, has: planted }) as never;
const inScope = <T>(fn: () => T): T => runInContext(setTraceScope(ROOT_CONTEXT, scope), fn);
/** How a call ended: what was sent and answered, or the error. */
async function outcome(call: () => Promise<Response>): Promise<unknown> {
  upstream.arrived.splice(0);
  try {
    const text = await (await call()).text();
    const { method, body, headers } = upstream.arrived[0]!;
    return { text, method, body, mine: headers['x-mine'] };
  } catch (error) {
    try {
      return [(error as Error).name, (error as Error).message];
    } catch {
      return 'what throws at each touch';
    }
  }
}

class Init {
  get method(): string { return 'PUT'; }
  get body(): string { return 'of a getter'; }
  get headers(): Record<string, string> { return { 'x-mine': 'of a getter' }; }
}
const abortedBy = (reason: unknown): AbortSignal => AbortSignal.abort(reason);
const INITS: Readonly<Record<string, () => unknown>> = {
  'of a class': () => new Init(),
  'with inherited fields': () => Object.create({ method: 'PUT', body: 'x', headers: { 'x-mine': '1' } }) as object,
  'that is frozen': () => Object.freeze({ method: 'POST', body: 'x', headers: Object.freeze({ 'x-mine': '1' }) }),
  'whose headers are pairs': () => ({ headers: [['x-mine', '1'], ['x-mine', '2']] }),
  'whose headers are a Map': () => ({ headers: new Map([['x-mine', '1']]) }),
  'whose headers cannot be sent': () => ({ headers: { 'x-mine': 'a\r\nb' } }),
  'whose headers throw': () => ({ get headers() { return planted(); } }),
  'whose headers throw when they are read': () => ({ headers: { get 'x-mine'() { return planted(); } } }),
  'whose method throws': () => ({ get method() { return planted(); } }),
  'whose method is nonsense': () => ({ method: Symbol('nonsense') }),
  'whose method is no method': () => ({ method: 'a b' }),
  'whose body throws': () => ({ method: 'POST', get body() { return planted(); } }),
  'whose body fails': () => ({ method: 'POST', duplex: 'half', body: new ReadableStream({ pull: planted }) }),
  'whose body is read already': () => {
    const body = new ReadableStream();
    body.getReader();
    return { method: 'POST', duplex: 'half', body };
  },
  'whose body is an object that throws as text': () => ({ method: 'POST', body: { toString: planted } }),
  'whose signal throws': () => ({ get signal() { return planted(); } }),
  'whose signal is none': () => ({ signal: { aborted: false } }),
  'whose signal has aborted': () => ({ signal: abortedBy(undefined) }),
  'whose signal has aborted with nothing': () => ({ signal: abortedBy(null) }),
  'whose signal has aborted with what throws at each touch': () => ({ signal: abortedBy(trap()) }),
  'that is null': () => null,
  'that is a number': () => 5,
};
const INPUTS: Readonly<Record<string, () => unknown>> = {
  'that throws as text': () => ({ toString: planted }),
  'that is no URL': () => 'not a url',
  'that is nothing': () => undefined,
  'that is a symbol': () => Symbol('nonsense'),
  'that goes to a port nobody listens on': () => 'http://127.0.0.1:1/',
  'that throws at each touch': trap,
};

describe('tracedFetch', () => {
  test.each(Object.keys(INITS))('answers as fetch does for an init %s, with one span that ends', async (what) => {
    const bare = await outcome(() => fetch(`${upstream.url}/`, INITS[what]!() as never));
    const traced = await inScope(() => outcome(() => tracedFetch(`${upstream.url}/`, INITS[what]!() as never)));
    expect(traced).toEqual(bare);
    await new Promise(setImmediate);
    expect(rejections).toEqual([]);
    await until('every span to end', () => ended === started);
  });

  test.each(Object.keys(INPUTS))('answers as fetch does for an input %s', async (what) => {
    const bare = await outcome(() => fetch(INPUTS[what]!() as never));
    expect(await inScope(() => outcome(() => tracedFetch(INPUTS[what]!() as never)))).toEqual(bare);
    expect(rejections).toEqual([]);
  });

  test.each([['an error', () => new Error('planted')], ['nothing', () => null], ['what throws when it is read', () => ({ get name() { return planted(); } })]])('is left within the body by a signal that aborts with %s', async (_what, reason) => {
    const abort = new AbortController();
    const why = reason();
    const response = await inScope(() => tracedFetch(`${upstream.url}/open`, { signal: abort.signal }));
    const reader = response.body!.getReader();
    await reader.read();
    const rest = reader.read().then(() => 'more', () => 'failed');
    abort.abort(why);
    expect(await rest).toBe('failed');
    await until('the span', () => ended === 1);
    expect(rejections).toEqual([]);
  });
});

describe('traceInterceptor', () => {
  const HANDLERS = ['onConnect', 'onRequestStart', 'onHeaders', 'onResponseStart', 'onData', 'onResponseData', 'onComplete', 'onResponseEnd', 'onError', 'onResponseError'];
  const options = { origin: 'http://127.0.0.1:1', path: '/', method: 'GET' };

  test.each(HANDLERS)('throws what a handler throws in its %s, to undici as the handler would', (name) => {
    const dispatch = (_options: unknown, handler: Record<string, (...args: unknown[]) => unknown>): boolean => {
      expect(() => handler[name]!(200, 200, new Error('x'))).toThrow('planted');
      return true;
    };
    const traced = traceInterceptor()(dispatch as never) as (options: unknown, handler: unknown) => boolean;
    expect(inScope(() => traced(options, { [name]: planted }))).toBe(true);
  });

  test.each([['an error', () => new Error('planted')], ['nothing', () => undefined], ['what throws at each touch', trap]])('a dispatcher that throws %s is thrown on, and the span ends', (_what, make) => {
    const thrown: unknown = make();
    const traced = traceInterceptor()((() => { throw thrown; }) as never) as (options: unknown, handler: unknown) => boolean;
    let caught: unknown = 'nothing was thrown';
    try {
      inScope(() => traced(options, {}));
    } catch (error) {
      caught = error;
    }
    expect(caught === thrown).toBe(true);
    expect([started, ended]).toEqual([1, 1]);
  });

  test('options that cannot be read go to the dispatcher as they are', () => {
    const odd = { path: '/', method: 'GET', get origin() { return planted(); } };
    const traced = traceInterceptor()(((given: unknown) => given === odd) as never) as (options: unknown, handler: unknown) => boolean;
    expect(inScope(() => traced(odd, {}))).toBe(true);
  });
});

describe('headers of others', () => {
  const REFUSING: Readonly<Record<string, () => object>> = {
    'a frozen object': () => Object.freeze({}),
    'an object whose setters throw': () => new Proxy({}, { set: planted, defineProperty: planted }),
    'Headers whose set throws': () => ({ get: () => undefined, set: planted, delete: planted, keys: () => [] }),
    'a Map whose set throws': () => Object.assign(new Map(), { set: planted }),
  };
  test.each(Object.keys(REFUSING))('%s costs the caller of injectTrace nothing but the headers', (what) => {
    const headers = REFUSING[what]!();
    expect(inScope(() => injectTrace(headers as never)) === headers).toBe(true);
  });

  test('a proxied request that refuses headers goes on', () => {
    const request = { headersSent: false, getHeader: () => undefined, setHeader: planted, removeHeader: planted, getHeaderNames: () => [] };
    expect(() => inScope(() => traceProxyReq(request as never, { headers: {} } as never))).not.toThrow();
  });

  test('an inner propagator that throws costs the call nothing but the headers', () => {
    const outer = untrustedPropagator({ inject: planted, extract: planted, fields: planted });
    expect(() => outer.inject(ROOT_CONTEXT, {}, { set: () => undefined })).not.toThrow();
    expect(outer.extract(ROOT_CONTEXT, {}, { get: planted, keys: planted })).toBe(ROOT_CONTEXT);
  });
});

test('each place that failed is reported once', () => {
  const places = warnings.map((text) => text.split(' failed: ')[0]);
  expect(places.length).toBe(new Set(places).size);
  expect(places).toEqual(expect.arrayContaining(['tracedFetch', 'traceInterceptor', 'injectTrace', 'traceProxyReq', 'untrustedPropagator']));
});
