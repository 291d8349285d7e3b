import type { Context } from '@opentelemetry/api';
import { guarded, type Level } from '../internal/index.js';
import { activeContext, getTraceScope, type TraceScope } from '../trace-context/index.js';
import type { LogEntry, LogFields, LogSink } from './entry.js';
import { emitOtelLog } from './otel.js';

/** Hears every record of this process before any level is asked. */
export type RecordListener = (entry: LogEntry) => void;

// Kept on the global object so that every copy of the package tells every listener.
const LISTENERS = Symbol.for('dynamo-tracing.record-listeners.v1');
const listeners = ((globalThis as Record<symbol, unknown>)[LISTENERS] ??= new Set<RecordListener>()) as Set<RecordListener>;

/** Hears every record until the returned function is called. */
export function onRecord(listener: RecordListener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export interface EmitOptions {
  /** Default: the scope of `context`. */
  readonly scope?: TraceScope | undefined;
  /** Default: the current context. */
  readonly context?: Context | undefined;
  /** Write numbers as text, as Dynamo's lifecycle records do. */
  readonly display?: boolean;
  /** The message as it is written, where another logger beside us would be taken for this record. Listeners get the record's own. */
  readonly alias?: string | undefined;
}

/** Sends records to a sink, to OpenTelemetry's logs and to listeners. A fault of any of them is reported once and goes no further. */
export class Log {
  constructor(private readonly sink: LogSink) {}

  enabled(target: string, level: Level): boolean {
    return listeners.size > 0 || guarded('logger', () => this.sink.enabled(target, level), false);
  }

  emit(level: Level, target: string, message: string, fields: LogFields, options: EmitOptions = {}): void {
    const enabled = guarded('logger', () => this.sink.enabled(target, level), false);
    if (!enabled && listeners.size === 0) return;
    const ctx = options.context ?? activeContext();
    const entry: LogEntry = { level, target, message, fields, scope: options.scope ?? getTraceScope(ctx), display: options.display ?? false };
    for (const listener of listeners) guarded('record listener', () => listener(entry), undefined);
    if (!enabled) return;
    const written = options.alias === undefined ? entry : { ...entry, message: options.alias };
    guarded('logger', () => this.sink.write(written), undefined);
    guarded('OpenTelemetry logs', () => emitOtelLog(written, ctx), undefined);
  }
}
