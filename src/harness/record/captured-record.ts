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
  /** `service.name` of the process that exported it; undefined for records of this process and of log lines that name none. */
  readonly service?: string | undefined;
  /** The process that wrote it exports its spans too: a trace is complete only with the record's span. Default false. */
  readonly spanExported?: boolean | undefined;
}

/** A record of this process. */
export function capturedRecord(entry: LogEntry): CapturedRecord {
  const { level, target, message, scope } = entry;
  return { level, target, message, fields: allFields(entry), traceId: scope?.traceId, spanId: scope?.spanId, requestId: scope?.requestId };
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
  const { level, target, message, msg, time: _time, ...fields } = given;
  return {
    level: text(level)?.toLowerCase() ?? 'info',
    target: text(target) ?? '',
    message: text(message) ?? text(msg) ?? '',
    fields,
    traceId: text(fields['trace_id']),
    spanId: text(fields['span_id']),
    requestId: text(fields['request_id']),
    service: text(fields['service.name']),
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
}
