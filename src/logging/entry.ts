import { isNativeError } from 'node:util/types';
import type { Level } from '../internal/index.js';
import type { TraceScope } from '../trace-context/index.js';

export type LogFields = Readonly<Record<string, unknown>>;

/** One record on its way to a sink. */
export interface LogEntry {
  readonly level: Level;
  /** What DYN_LOG filters by. */
  readonly target: string;
  readonly message: string;
  readonly fields: LogFields;
  /** Ids and span fields that the record carries; undefined outside any request. */
  readonly scope: TraceScope | undefined;
  /** Lifecycle records write numbers as text, as Dynamo does; lines of the application keep their types. */
  readonly display: boolean;
}

/** Where records go. */
export interface LogSink {
  /** A cheap early no: nothing is built for a record that is not enabled. */
  enabled(target: string, level: Level): boolean;
  write(entry: LogEntry): void;
}

/** The ids of a scope: their names in records and where the scope has them. */
export const ID_PROPERTIES = {
  request_id: 'requestId',
  x_request_id: 'xRequestId',
  trace_id: 'traceId',
  span_id: 'spanId',
  parent_id: 'parentId',
  span_name: 'spanName',
} as const satisfies Record<string, keyof TraceScope>;

function idsOf(scope: TraceScope): Record<string, string | undefined> {
  return {
    request_id: scope.requestId,
    x_request_id: scope.xRequestId,
    trace_id: scope.traceId,
    span_id: scope.spanId,
    parent_id: scope.parentId,
    span_name: scope.spanName,
  } satisfies Record<keyof typeof ID_PROPERTIES, string | undefined>;
}

/** The ids of a scope under their names in records; absent ones are left out. */
export function idFields(scope: TraceScope | undefined): Record<string, string> {
  return scope === undefined ? {} : (withoutUndefined(idsOf(scope)) as Record<string, string>);
}

/**
 * Every field of an entry: the span's fields under those of the event, the ids above both. An id that the scope does not have
 * is undefined, so that no event field can pass for it.
 */
export function allFields(entry: LogEntry): Record<string, unknown> {
  return entry.scope === undefined ? { ...entry.fields } : { ...entry.scope.logFields, ...entry.fields, ...idsOf(entry.scope) };
}

function withoutUndefined(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** What callers gave, the later over the earlier. A field that cannot be read becomes a note of why: it must not cost the record or the request. */
export function copyFields(bindings: LogFields, given: LogFields): Record<string, unknown> {
  try {
    return { ...bindings, ...given };
  } catch {
    return Object.fromEntries([bindings, given].flatMap((source) => keysOf(source).map((key) => [key, readField(source, key)])));
  }
}

function keysOf(source: LogFields): string[] {
  try {
    return Object.keys(source);
  } catch {
    return []; // a proxy that refuses
  }
}

function readField(source: LogFields, key: string): unknown {
  try {
    return source[key];
  } catch (error) {
    return `[not readable: ${reasonOf(error)}]`;
  }
}

/** The first line of what was thrown; user code can throw things that have none. */
export function reasonOf(error: unknown): string {
  try {
    return (error as Error).message.split('\n', 1)[0] ?? '';
  } catch {
    return 'unknown';
  }
}

/** An error of any realm: jest and vm have an Error class of their own. */
export function isError(value: unknown): value is Error {
  return isNativeError(value) || value instanceof Error;
}
