import { ROOT_CONTEXT } from '@opentelemetry/api';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type * as outbound from '../../src/outbound/index.js';
import { tracedFetch } from '../../src/outbound/index.js';
import { runInContext, setTraceScope, type TraceScope } from '../../src/trace-context/index.js';
import { childTraceparent, copied, scope, startUpstream, theirs, type Arrived, type Upstream } from './support.js';

let upstream: Upstream;
let url: string;
beforeAll(async () => {
  upstream = await startUpstream((req, res) => (req.url === '/moved' ? res.writeHead(307, { location: '/v1/final' }).end() : res.end('ok')));
  url = `${upstream.url}/v1/chat/completions`;
});
afterAll(() => upstream.close());
beforeEach(() => void upstream.arrived.splice(0));

const inRequest = async (fn: () => Promise<Response>, of: TraceScope = scope): Promise<Arrived> => {
  const response = await runInContext(setTraceScope(ROOT_CONTEXT, of), fn);
  expect(await response.text()).toBe('ok');
  return upstream.arrived.at(-1)!;
};
const expected = { traceparent: expect.stringMatching(childTraceparent), tracestate: 'foo=1', 'x-request-id': 'mine', 'request-id': scope.requestId };

describe('what tracedFetch sends without an SDK', () => {
  it.each<[string, () => string | URL]>([['text', () => url], ['a URL', () => new URL(url)]])('brings the trace headers to a server given as %s', async (_how, target) => {
    expect((await inRequest(() => tracedFetch(target()))).headers).toMatchObject(expected);
  });

  it('has a span id of its own in each call of one request', async () => {
    const seen = new Set<string>();
    for (let i = 0; i < 3; i += 1) seen.add((await inRequest(() => tracedFetch(url))).lines('traceparent').join());
    expect(seen.size).toBe(3);
  });

  it.each<[string, () => NonNullable<RequestInit['headers']>]>([
    ['a record', () => copied],
    ['pairs', () => Object.entries(copied)],
    ['Headers', () => new Headers(copied)],
  ])('has our headers once each in place of those that a gateway copied, and keeps the others: %s', async (_what, headers) => {
    const request = await inRequest(() => tracedFetch(url, { headers: headers() }));
    expect(request.headers).toMatchObject({ ...expected, accept: 'text/plain' });
    for (const name of Object.keys(expected)) expect([name, request.lines(name).length]).toEqual([name, 1]);
  });

  it('has no tracestate that the gateway copied when our trace has none', async () => {
    const { headers } = await inRequest(() => tracedFetch(url, { headers: copied }), { ...scope, tracestate: undefined });
    expect(headers).toMatchObject({ traceparent: expected.traceparent });
    expect(headers).not.toHaveProperty('tracestate');
  });

  it('leaves the headers object and the init object of its caller as they were', async () => {
    const headers = new Headers({ traceparent: theirs });
    const init = Object.freeze({ method: 'POST', headers });
    await inRequest(() => tracedFetch(url, init));
    expect([...headers]).toEqual([['traceparent', theirs]]);
  });

  it('has method, body and headers of a Request', async () => {
    const request = new Request(url, { method: 'POST', body: '{"model":"m"}', headers: { ...copied, 'content-type': 'application/json', authorization: 'Bearer x' } });
    expect(await inRequest(() => tracedFetch(request))).toMatchObject({
      method: 'POST', body: '{"model":"m"}', headers: { ...expected, 'content-type': 'application/json', authorization: 'Bearer x' },
    });
  });

  it('has the headers of init in place of those of a Request, as fetch', async () => {
    const request = new Request(url, { headers: { 'x-a': '1' } });
    const { headers } = await inRequest(() => tracedFetch(request, { headers: { 'x-b': '2' } }));
    expect(headers).toMatchObject({ ...expected, 'x-b': '2' });
    expect(headers).not.toHaveProperty('x-a');
  });

  it('has method, body and headers of a Request that stands in the place of init', async () => {
    const inbound = new Request('http://gateway.example/v1', { method: 'PUT', body: 'text', headers: { ...copied, 'x-a': '1' } });
    expect(await inRequest(() => tracedFetch(url, inbound))).toMatchObject({ method: 'PUT', path: '/v1/chat/completions', body: 'text', headers: { ...expected, 'x-a': '1' } });
  });

  it.each<[string, () => RequestInit, unknown]>([
    ['text', () => ({ method: 'PUT', body: 'text' }), 'text'],
    ['a form', () => ({ method: 'POST', body: Object.entries({ model: 'whisper' }).reduce((form, [name, value]) => (form.set(name, value), form), new FormData()) }), expect.stringContaining('name="model"')],
    ['a stream', () => ({ method: 'POST', body: new Blob(['one', 'two']).stream(), duplex: 'half' }), 'onetwo'],
  ])('has the body of init: %s', async (_what, init, body) => {
    expect(await inRequest(() => tracedFetch(url, init()))).toMatchObject({ method: init().method, body });
  });

  it('has the same headers at each hop of a redirect', async () => {
    await inRequest(() => tracedFetch(`${upstream.url}/moved`));
    expect(upstream.arrived.map(({ path }) => path)).toEqual(['/moved', '/v1/final']);
    expect(upstream.arrived[1]?.headers).toMatchObject(expected);
    expect(upstream.arrived[1]?.lines('traceparent')).toEqual(upstream.arrived[0]?.lines('traceparent'));
  });

  it('begins a trace outside any request, without request ids', async () => {
    await (await tracedFetch(url)).text();
    expect(upstream.arrived[0]?.headers).toMatchObject({ traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/) });
    expect(upstream.arrived[0]?.headers).not.toHaveProperty('request-id');
  });

  it('continues the trace that its caller\'s own headers name outside any request, and keeps their ids', async () => {
    await (await tracedFetch(url, { headers: copied })).text();
    expect(upstream.arrived[0]?.headers).toMatchObject({ traceparent: expect.stringMatching(childTraceparent), tracestate: 'old=1', 'x-request-id': 'old' });
    expect(upstream.arrived[0]?.lines('traceparent')).not.toEqual([theirs]);
  });

  it('names the request itself where DYN_LOG turns request_span off', async () => {
    const before = process.env['DYN_LOG'];
    process.env['DYN_LOG'] = 'info,request_span=off';
    try {
      let quiet: typeof outbound | undefined;
      jest.isolateModules(() => {
        // eslint-disable-next-line @typescript-eslint/no-require-imports
        quiet = require('../../src/outbound/index.js') as typeof outbound;
      });
      expect((await inRequest(() => quiet!.tracedFetch(url, { headers: copied }))).headers).toMatchObject({ ...expected, traceparent: `00-${scope.traceId}-${scope.spanId}-01` });
    } finally {
      process.env['DYN_LOG'] = before;
    }
  });
});

describe('what tracedFetch returns', () => {
  const real = globalThis.fetch;
  afterEach(() => void (globalThis.fetch = real));

  it('is the very Response of fetch: url, redirected and type, its body not touched', async () => {
    let given: Response | undefined;
    globalThis.fetch = async (...args) => (given = await real(...args));
    const response = await tracedFetch(`${upstream.url}/moved`);
    expect(response).toBe(given);
    expect(response).toMatchObject({ url: `${upstream.url}/v1/final`, redirected: true, type: 'basic', bodyUsed: false });
    expect(response.body?.locked).toBe(false);
    expect(await Promise.all([response.clone().text(), response.text()])).toEqual(['ok', 'ok']);
  });

  it.each<[string, () => Promise<Response>]>([
    ['a bad header', () => tracedFetch(url, { headers: { 'bad name': '1' } })],
    ['a bad URL', () => tracedFetch('no url')],
    ['no URL', () => (tracedFetch as () => Promise<Response>)()],
    ['a protocol that fetch does not know', () => tracedFetch('ftp://127.0.0.1/')],
    ['an aborted signal', () => tracedFetch(url, { signal: AbortSignal.abort() })],
  ])('rejects with the error of fetch and does not throw: %s', async (_what, call) => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listen);
    let promise: Promise<Response> | undefined;
    expect(() => (promise = call())).not.toThrow();
    await expect(promise).rejects.toThrow();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings).toEqual([]); // the caller's fault is none of ours
  });

  it('is what fetch makes of a data: URL', async () => {
    expect(await (await tracedFetch('data:text/plain,hello')).text()).toBe('hello');
  });
});
