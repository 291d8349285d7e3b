import type { ClientRequest, IncomingMessage } from 'node:http';
import { guarded } from '../internal/index.js';
import { traceHeaders, writeTraceHeaders, type Carrier } from '../trace-context/index.js';

/**
 * A listener for the `proxyReq` event of http-proxy and http-proxy-middleware (`on: { proxyReq: traceProxyReq }`). The proxy copies
 * the client's headers: this puts the trace's in their place. Under an instrumentation the traceparent of its CLIENT span stays.
 */
export function traceProxyReq(proxyReq: ClientRequest, req: IncomingMessage): void {
  guarded('traceProxyReq', () => {
    if (proxyReq.headersSent) return;
    const headers = traceHeaders();
    const present = proxyReq.getHeader('traceparent');
    // What differs from the client's was written for this call, by who makes its span.
    if (typeof present === 'string' && present !== req.headers['traceparent']) headers.traceparent = present;
    writeTraceHeaders(carrierOfRequest(proxyReq), headers);
  }, undefined);
}

function carrierOfRequest(request: ClientRequest): Carrier {
  return {
    get: (name) => request.getHeader(name) as string | string[] | undefined,
    set: (name, value) => request.setHeader(name, value),
    delete: (name) => request.removeHeader(name),
    keys: () => request.getHeaderNames(),
  };
}
