import type { Level } from '../internal/index.js';
import { isError, reasonOf, type LogEntry } from './entry.js';
import { planOf, valueAt } from './field-plan.js';
import { escapeControls, jsonText } from './json-text.js';

export { escapeControls } from './json-text.js';

/** Makes one line, without the line feed, of an entry. */
export type LineFormat = (entry: LogEntry, time: string) => string;

/**
 * One JSON object in Dynamo's key order: time, level, target, message, then every other field by name. A value that cannot be
 * serialised is replaced by a note of why; the record is never lost.
 */
export const jsonLine: LineFormat = (entry, time) => {
  let line = `{"time":"${time}","level":"${LEVEL_TEXT[entry.level]}","target":${jsonText(entry.target)},"message":${jsonText(entry.message)}`;
  for (const place of planOf(entry).byName) {
    const given = valueAt(entry, place);
    const value = jsonValue(entry.display ? displayed(place.key, given) : given);
    if (value !== undefined) line += place.prefix + value;
  }
  return `${line}}`;
};

const LEVEL_TEXT: Readonly<Record<Level, string>> = { trace: 'TRACE', debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR' };

/** Latencies that Dynamo writes with two decimals. */
const DECIMALS: ReadonlySet<string> = new Set(['ttft_ms', 'avg_itl_ms']);

/** A value of a lifecycle record as Dynamo's Display writes it: text. */
function displayed(key: string, value: unknown): unknown {
  if (typeof value === 'number') return DECIMALS.has(key) ? value.toFixed(2) : String(value);
  return typeof value === 'boolean' ? String(value) : value;
}

function jsonValue(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string': return jsonText(value);
    case 'number': return Number.isFinite(value) ? String(value) : `"${value}"`;
    case 'boolean': return String(value);
    case 'bigint': return `"${value}"`;
    case 'undefined': case 'function': case 'symbol': return undefined;
    default: return jsonObject(value);
  }
}

function jsonObject(value: unknown): string | undefined {
  try {
    const json = JSON.stringify(value, plain) as string | undefined;
    return json === undefined ? undefined : escapeControls(json);
  } catch (error) {
    return jsonText(`[not serialisable: ${reasonOf(error)}]`);
  }
}

/** What JSON has no form for, at any depth. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return isError(value) ? { ...(value as object), type: value.name, message: value.message, stack: value.stack, cause: value.cause } : value;
}

const COLOURS: Readonly<Record<Level, string>> = { trace: '35', debug: '34', info: '32', warn: '33', error: '31' };

/**
 * A line for people: time, level, span, target, message, then `key=value`: the event's own fields, the ids, the span's fields.
 * Text of callers is quoted and cannot forge a line.
 */
export function readableLine(colour: boolean): LineFormat {
  return (entry, time) => {
    const level = LEVEL_TEXT[entry.level].padStart(5);
    const head = `${time} ${colour ? `\u001b[${COLOURS[entry.level]}m${level}\u001b[0m` : level} `;
    const span = entry.scope === undefined ? entry.fields['span_name'] : entry.scope.spanName;
    let text = `${typeof span === 'string' ? `${span}: ` : ''}${entry.target}: ${entry.message}`;
    for (const place of planOf(entry).forPeople) {
      const given = valueAt(entry, place);
      const value = readableValue(entry.display ? displayed(place.key, given) : given);
      if (value !== undefined) text += ` ${place.key}=${value}`;
    }
    return head + escapeControls(text);
  };
}

function readableValue(value: unknown): string | undefined {
  if (typeof value === 'string') return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : jsonValue(value);
}
