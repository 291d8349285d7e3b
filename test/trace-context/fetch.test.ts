import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { runWithTrace, setTraceScope, tracedFetch, type TraceScope } from '../../src/trace-context/index.js';

interface Arrived {
  method: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}
let server: Server;
let url: string;
let arrived: Arrived[];

beforeAll(async () => {
  server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (chunk: string) => (body += chunk)).on('end', () => {
      arrived.push({ method: req.method, headers: req.headers, body });
      res.end('ok');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/chat/completions`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  arrived = [];
});

const scope: TraceScope = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 1, tracestate: 'foo=1', xRequestId: 'mine', requestId: '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b',
};
const expected = { traceparent: `00-${scope.traceId}-${scope.spanId}-01`, tracestate: 'foo=1', 'x-request-id': 'mine', 'request-id': scope.requestId };
const theirs = `00-${scope.traceId}-${'c'.repeat(16)}-00`;
const inRequest = async (fn: () => Promise<Response>, of: TraceScope = scope): Promise<Arrived> => {
  const response = await runWithTrace(setTraceScope(ROOT_CONTEXT, of), fn);
  expect(await response.text()).toBe('ok');
  return arrived[0]!;
};

describe('tracedFetch', () => {
  it.each<[string, () => string | URL]>([['text', () => url], ['a URL', () => new URL(url)]])('brings the trace headers to a server given as %s', async (_how, target) => {
    expect((await inRequest(() => tracedFetch(target()))).headers).toMatchObject(expected);
  });

  it.each<[string, () => NonNullable<RequestInit['headers']>]>([
    ['a record', () => ({ TraceParent: theirs, tracestate: 'old=1', 'X-Request-Id': 'old', accept: 'text/plain' })],
    ['pairs', () => [['TraceParent', theirs], ['tracestate', 'old=1'], ['accept', 'text/plain']]],
    ['Headers', () => new Headers({ traceparent: theirs, tracestate: 'old=1', accept: 'text/plain' })],
  ])('replaces an inbound traceparent that the caller copied, and keeps the other headers: %s', async (_how, headers) => {
    expect((await inRequest(() => tracedFetch(url, { headers: headers() }))).headers).toMatchObject({ ...expected, accept: 'text/plain' });
  });

  it('does not send the tracestate that the caller copied when our trace has none', async () => {
    const { headers } = await inRequest(() => tracedFetch(url, { headers: { traceparent: theirs, tracestate: 'old=1' } }), { ...scope, tracestate: undefined });
    expect(headers).toMatchObject({ traceparent: expected.traceparent });
    expect(headers).not.toHaveProperty('tracestate');
  });

  it('leaves the caller\'s headers object as it was', async () => {
    const headers = new Headers({ traceparent: theirs });
    await inRequest(() => tracedFetch(url, { headers }));
    expect([...headers]).toEqual([['traceparent', theirs]]);
  });

  it('keeps method, body and headers of a Request', async () => {
    const request = new Request(url, { method: 'POST', body: '{"model":"m"}', headers: { 'content-type': 'application/json', authorization: 'Bearer x', traceparent: theirs } });
    expect(await inRequest(() => tracedFetch(request))).toMatchObject({
      method: 'POST', body: '{"model":"m"}', headers: { ...expected, 'content-type': 'application/json', authorization: 'Bearer x' },
    });
  });

  it('lets init\'s headers replace those of a Request, as fetch does', async () => {
    const request = new Request(url, { headers: { 'x-a': '1' } });
    const { headers } = await inRequest(() => tracedFetch(request, { headers: { 'x-b': '2' } }));
    expect(headers).toMatchObject({ ...expected, 'x-b': '2' });
    expect(headers).not.toHaveProperty('x-a');
  });

  it('sends the body of init', async () => {
    expect(await inRequest(() => tracedFetch(url, { method: 'PUT', body: 'text' }))).toMatchObject({ method: 'PUT', body: 'text' });
  });

  it('is plain fetch outside a request: the caller\'s headers go as they are', async () => {
    await (await tracedFetch(url, { headers: { traceparent: theirs } })).text();
    expect(arrived[0]?.headers).toMatchObject({ traceparent: theirs });
    expect(arrived[0]?.headers).not.toHaveProperty('request-id');
  });

  it.each<[string, () => Promise<Response>]>([
    ['a bad header', () => tracedFetch(url, { headers: { 'bad name': '1' } })],
    ['a bad URL', () => tracedFetch('no url')],
    ['an aborted signal', () => tracedFetch(url, { signal: AbortSignal.abort() })],
  ])('rejects and does not throw, as fetch: %s', async (_what, call) => {
    let promise: Promise<Response> | undefined;
    expect(() => (promise = call())).not.toThrow();
    await expect(promise).rejects.toThrow();
  });
});
