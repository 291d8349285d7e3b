import type { Context } from '@opentelemetry/api';
import { registeredWithOtel, type Level } from '../internal/index.js';
import { isError, type LogEntry } from './entry.js';
import { portableFields } from './portable.js';

/** What is used of the logs API, which is reached through what is registered with it: it is no dependency. */
interface OtelLoggerProvider {
  getLogger(name: string): { emit(record: Readonly<Record<string, unknown>>): void };
}

const SEVERITY: Readonly<Record<Level, number>> = { trace: 1, debug: 5, info: 9, warn: 13, error: 17 };

/** Emits the entry as an OpenTelemetry log record when a LoggerProvider is registered. */
export function emitOtelLog(entry: LogEntry, ctx: Context): void {
  const provider = registeredWithOtel('logs') as OtelLoggerProvider | undefined;
  if (provider === undefined) return;
  const { err, ...attributes } = portableFields(entry);
  provider.getLogger('dynamo-tracing').emit({
    severityNumber: SEVERITY[entry.level],
    severityText: entry.level.toUpperCase(),
    body: entry.message,
    attributes: { ...attributes, ...(err === undefined || isError(err) ? {} : { err }), target: entry.target },
    ...(isError(err) ? { exception: err } : {}),
    context: ctx,
  });
}
