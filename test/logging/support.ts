import { ROOT_CONTEXT } from '@opentelemetry/api';
import { Log, environmentSink, type LogEntry } from '../../src/logging/index.js';
import { setTraceScope, type TraceScope } from '../../src/trace-context/index.js';

export const SCOPE: TraceScope = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
  parentId: '00f067aa0ba902b7',
  requestId: '6b3f2a60-3f0e-4f0e-9d55-1c1a6f0f3b11',
  xRequestId: 'order 42',
  spanName: 'http-request',
  logFields: { method: 'POST', uri: '/v1/chat/completions' },
};

/** The ids of SCOPE as records show them. */
export const IDS = {
  trace_id: SCOPE.traceId,
  span_id: SCOPE.spanId,
  parent_id: SCOPE.parentId,
  request_id: SCOPE.requestId,
  x_request_id: SCOPE.xRequestId,
  span_name: SCOPE.spanName,
};

export const IN_REQUEST = setTraceScope(ROOT_CONTEXT, SCOPE);

export function entry(over: Partial<LogEntry> = {}): LogEntry {
  return { level: 'info', target: 'app', message: 'hello', fields: {}, scope: undefined, display: false, ...over };
}

/** A log by environment variables with the lines it wrote. */
export function logOf(env: Record<string, string>): { log: Log; lines: string[] } {
  const lines: string[] = [];
  return { log: new Log(environmentSink(env, (line) => lines.push(line))), lines };
}

/** A JSONL log whose records are given as objects. */
export function jsonLog(env: Record<string, string> = {}): { log: Log; records: () => Record<string, unknown>[]; lines: string[] } {
  const { log, lines } = logOf({ DYN_LOGGING_JSONL: '1', ...env });
  return { log, lines, records: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

/** An object with a field that cannot be read. */
export function withBadGetter(): Record<string, unknown> {
  return { good: 1, get bad(): unknown { throw new Error('no such luck\nsecond line'); } };
}

export function circular(): Record<string, unknown> {
  const value: Record<string, unknown> = { name: 'ring' };
  value['self'] = value;
  return value;
}
