import { createRequestLogger, defaultLog, type RequestLogger } from '../logging/index.js';
import { activeContext, bindToContext, currentTraceContext, traceHeaders, type DistributedTraceContext, type TraceHeaders } from '../trace-context/index.js';
import type { RequestTrace } from './request-trace.js';

const NEVER = new AbortController().signal;
const EMPTY: DistributedTraceContext = { traceId: '', spanId: '', traceFlags: 0 };

/** What a handler finds at `req.trace` when the request is left alone: nothing is recorded, and no call of a handler fails. */
export const UNTRACED: RequestTrace = Object.freeze<RequestTrace>({
  requestId: '',
  xRequestId: undefined,
  traceId: '',
  spanId: '',
  get context(): DistributedTraceContext {
    return currentTraceContext() ?? EMPTY;
  },
  get log(): RequestLogger {
    return createRequestLogger(defaultLog());
  },
  signal: NEVER,
  metadata: Object.freeze({}),
  headers: (): TraceHeaders => traceHeaders(),
  run: (fn) => fn(),
  bind: (fn) => bindToContext(activeContext(), fn),
  set: () => undefined,
  usage: () => undefined,
  model: () => undefined,
  workers: () => undefined,
  fail: () => undefined,
  echo: () => undefined,
});
