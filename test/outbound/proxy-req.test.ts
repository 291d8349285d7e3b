import { once } from 'node:events';
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { ROOT_CONTEXT } from '@opentelemetry/api';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { traceProxyReq } from 'dynamo-tracing';
import { runInContext, setTraceScope } from '../../src/trace-context/index.js';
import { scope, startUpstream, theirs, type Arrived, type Upstream } from './support.js';

describe('traceProxyReq', () => {
  let upstream: Upstream;
  beforeAll(async () => {
    upstream = await startUpstream();
  });
  afterAll(() => upstream.close());
  beforeEach(() => void upstream.arrived.splice(0));

  const requestWith = (headers: object): IncomingMessage => Object.assign(new http.IncomingMessage(new Socket()), { headers });
  const inbound = { traceparent: theirs, tracestate: 'old=1', 'x-request-id': 'old', 'request-id': 'old too', accept: 'text/plain' };
  /** What arrives of a request that a proxy makes of the inbound headers; `others` are those that an instrumentation wrote. */
  const proxied = async (others: Record<string, string> = {}, before: (proxyReq: ClientRequest) => void = () => undefined): Promise<Arrived> => {
    const proxyReq = http.request(upstream.url, { method: 'POST', headers: { ...inbound, ...others } });
    before(proxyReq);
    runInContext(setTraceScope(ROOT_CONTEXT, scope), () => traceProxyReq(proxyReq, requestWith(inbound)));
    const [response] = await once(proxyReq.end(), 'response') as [IncomingMessage];
    await once(response.resume(), 'end');
    return upstream.arrived[0]!;
  };
  const ours = { tracestate: 'foo=1', 'x-request-id': 'mine', 'request-id': scope.requestId, accept: 'text/plain' };

  it('puts the headers of the trace in the place of those that the proxy copied', async () => {
    expect((await proxied()).headers).toMatchObject({ ...ours, traceparent: `00-${scope.traceId}-${scope.spanId}-01` });
  });

  it('keeps the traceparent that an instrumentation wrote for this call', async () => {
    const traceparent = `00-${scope.traceId}-${'d'.repeat(16)}-01`;
    const request = await proxied({ traceparent });
    expect(request.headers).toMatchObject({ ...ours, traceparent });
    expect(request.lines('traceparent')).toHaveLength(1);
  });

  it('leaves a request whose head has left as it is', async () => {
    expect((await proxied({}, (proxyReq) => proxyReq.flushHeaders())).headers).toMatchObject(inbound);
  });

  it('leaves the proxy alone when the request is not one that it knows', () => {
    expect(() => traceProxyReq(null as unknown as ClientRequest, requestWith({}))).not.toThrow();
  });
});
