import { allFields, isError, reasonOf, type LogEntry } from './entry.js';

/** Makes one line, without the line feed, of an entry. */
export type LineFormat = (entry: LogEntry, time: string) => string;

/**
 * One JSON object in Dynamo's key order: time, level, target, message, then every other field by name. A value that cannot be
 * serialised is replaced by a note of why; the record is never lost.
 */
export const jsonLine: LineFormat = (entry, time) => {
  const fields = allFields(entry);
  const keys = Object.keys(fields).sort();
  let line = `{"time":"${time}","level":"${entry.level.toUpperCase()}","target":${JSON.stringify(entry.target)},"message":${JSON.stringify(entry.message)}`;
  for (const key of keys) {
    if (RESERVED.has(key)) continue;
    const value = jsonValue(entry.display ? displayed(key, fields[key]) : fields[key]);
    if (value !== undefined) line += `,${JSON.stringify(key)}:${value}`;
  }
  // C1 controls and U+2028 may stand in JSON as they are, but terminals and line splitters act on them.
  return escapeControls(`${line}}`);
};

const RESERVED: ReadonlySet<string> = new Set(['time', 'level', 'target', 'message']);

/** Latencies that Dynamo writes with two decimals. */
const DECIMALS: ReadonlySet<string> = new Set(['ttft_ms', 'avg_itl_ms']);

/** A value of a lifecycle record as Dynamo's Display writes it: text. */
function displayed(key: string, value: unknown): unknown {
  if (typeof value === 'number') return DECIMALS.has(key) ? value.toFixed(2) : String(value);
  return typeof value === 'boolean' ? String(value) : value;
}

function jsonValue(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string': return JSON.stringify(value);
    case 'number': return Number.isFinite(value) ? String(value) : `"${value}"`;
    case 'boolean': return String(value);
    case 'bigint': return `"${value}"`;
    case 'undefined': case 'function': case 'symbol': return undefined;
    default: return jsonObject(value);
  }
}

function jsonObject(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, plain);
  } catch (error) {
    return JSON.stringify(`[not serialisable: ${reasonOf(error)}]`);
  }
}

/** What JSON has no form for, at any depth. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return isError(value) ? { ...(value as object), type: value.name, message: value.message, stack: value.stack, cause: value.cause } : value;
}

const COLOURS: Readonly<Record<string, string>> = { trace: '35', debug: '34', info: '32', warn: '33', error: '31' };
const IDS = ['request_id', 'x_request_id', 'trace_id', 'span_id', 'parent_id'];

/**
 * A line for people: time, level, span, target, message, then `key=value`: the event's own fields, the ids, the span's fields.
 * Text of callers is quoted and cannot forge a line.
 */
export function readableLine(colour: boolean): LineFormat {
  return (entry, time) => {
    const level = entry.level.toUpperCase().padStart(5);
    const { span_name: span, ...fields } = allFields(entry);
    const head = `${time} ${colour ? `\u001b[${COLOURS[entry.level] ?? '0'}m${level}\u001b[0m` : level} `;
    const where = typeof span === 'string' ? `${span}: ${entry.target}: ` : `${entry.target}: `;
    const keys = new Set([...Object.keys(entry.fields), ...IDS, ...Object.keys(fields)]);
    const pairs = [...keys].map((key) => pair(key, entry.display ? displayed(key, fields[key]) : fields[key])).filter((text) => text !== undefined);
    return head + escapeControls([where + entry.message, ...pairs].join(' '));
  };
}

function pair(key: string, value: unknown): string | undefined {
  if (typeof value === 'string') return `${key}=${/^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value)}`;
  if (typeof value === 'number' || typeof value === 'bigint') return `${key}=${value}`;
  const text = jsonValue(value);
  return text === undefined ? undefined : `${key}=${text}`;
}

/** Control characters (ANSI escapes, line feeds, C1) as visible escapes: a value must not move the reader's cursor. */
export function escapeControls(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are the characters to find
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
