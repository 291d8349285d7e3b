// What a test clock does not replace: the times of spans are real, so those of records must be.
import { performance } from 'node:perf_hooks';
import { allFields, type LogEntry } from '../../logging/index.js';

/** A log record that was written while the harness was open. */
export interface CapturedRecord {
  readonly level: string;
  /** What DYN_LOG filters by. */
  readonly target: string;
  readonly message: string;
  /** Every field as it would be written: ids, span fields, its own. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  readonly requestId: string | undefined;
  /** When it was written, in milliseconds since 1970; undefined when its line did not say. */
  readonly timeMs?: number | undefined;
  /** `service.name` of the process that exported it; undefined for records of this process and of log lines that name none. */
  readonly service?: string | undefined;
  /** The process that wrote it, when the harness started it: a trace waits for what a living one has still to tell. */
  readonly writer?: RecordWriter | undefined;
}

/** A process of which the harness knows whether it lives. */
export interface RecordWriter {
  readonly ended: boolean;
  /** It exports its spans too: each of its records names one that comes. */
  readonly exportsSpans: boolean;
}

/** A record of this process. */
export function capturedRecord(entry: LogEntry): CapturedRecord {
  const { level, target, message, scope } = entry;
  return { level, target, message, fields: allFields(entry), timeMs: performance.timeOrigin + performance.now(), traceId: scope?.traceId, spanId: scope?.spanId, requestId: scope?.requestId };
}

/** A record from a JSON line of another process, in this package's format or Dynamo's; undefined for any other text. */
export function recordOfLine(line: string): CapturedRecord | undefined {
  if (!line.startsWith('{')) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  return recordOfFields(value as Record<string, unknown>);
}

/** A record from its fields: `level`, `target` and `message` (or pino's `msg`) are taken out, the rest are its fields. */
export function recordOfFields(given: Readonly<Record<string, unknown>>): CapturedRecord {
  const { level, target, message, msg, time, ...fields } = given;
  return {
    level: text(level)?.toLowerCase() ?? 'info',
    target: text(target) ?? '',
    message: text(message) ?? text(msg) ?? '',
    fields,
    timeMs: timeOf(time),
    traceId: text(fields['trace_id']),
    spanId: text(fields['span_id']),
    requestId: text(fields['request_id']),
    service: text(fields['service.name']),
  };
}

/** A record's time: a date in text, or pino's milliseconds. */
function timeOf(value: unknown): number | undefined {
  const ms = typeof value === 'number' ? value : typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}
