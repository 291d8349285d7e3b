import { ROOT_CONTEXT, trace, type Context } from '@opentelemetry/api';
import { carrierOf, extractTrace, remoteSpanContext, setTraceScope } from '../../../src/trace-context/index.js';

/** A request as a front end got it over HTTP: its trace context and the ids of the request. */
export interface Incoming {
  readonly context: Context;
  readonly traceId: string;
  readonly tracestate: string;
  readonly requestId: string;
  readonly xRequestId: string;
}

export function incoming(requestId: string, traceId: string, flags: '01' | '03'): Incoming {
  const tracestate = 'vendor=a:1,other@x=b';
  const extracted = extractTrace(carrierOf({ traceparent: `00-${traceId}-b7ad6b7169203331-${flags}`, tracestate }));
  if (extracted === undefined) throw new Error('the traceparent is not one');
  const parent = trace.setSpanContext(ROOT_CONTEXT, remoteSpanContext(extracted));
  const xRequestId = 'order 42';
  return { context: setTraceScope(parent, { ...extracted, requestId, xRequestId }), traceId, tracestate, requestId, xRequestId };
}
