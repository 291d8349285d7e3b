import type { Context } from '@opentelemetry/api';
import type { Level } from '../internal/index.js';
import { isError, type LogEntry } from './entry.js';
import { portableFields } from './portable.js';

/** What is used of the logs API. It is reached through its global registration, so that the package is no dependency. */
interface OtelLoggerProvider {
  getLogger(name: string): { emit(record: Readonly<Record<string, unknown>>): void };
}

const GLOBAL_LOGS = Symbol.for('io.opentelemetry.js.api.logs');
/** The version of the registration's contract that the logs API has had since its beginning. */
const CONTRACT = 1;
const SEVERITY: Readonly<Record<Level, number>> = { trace: 1, debug: 5, info: 9, warn: 13, error: 17 };

function registeredProvider(): OtelLoggerProvider | undefined {
  const lookUp = (globalThis as Record<symbol, unknown>)[GLOBAL_LOGS];
  return typeof lookUp === 'function' ? (lookUp as (version: number) => OtelLoggerProvider | undefined)(CONTRACT) : undefined;
}

/** Whether anything has been registered that could take log records. */
export function hasOtelLogs(): boolean {
  return (globalThis as Record<symbol, unknown>)[GLOBAL_LOGS] !== undefined;
}

/** Emits the entry as an OpenTelemetry log record when the application has registered a LoggerProvider. */
export function emitOtelLog(entry: LogEntry, ctx: Context): void {
  const provider = registeredProvider();
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
