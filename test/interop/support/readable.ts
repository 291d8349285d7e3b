import type { CapturedRecord } from 'dynamo-tracing/harness';

/** Dynamo's two ways of logging, for `describe.each`: the title, which is a column of the table, and its DYN_LOGGING_JSONL. */
export const LOGGING = [['JSONL logging', '1'], ['readable logging', '0']] as const;

/** Colours, and other things that a terminal does not show. */
const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*m`, 'g');
const FIELD = / ([a-z_][\w.]*)=("(?:[^"\\]|\\.)*"|.*?)(?= [a-z_][\w.]*=|$)/g;

/** A log without colours. */
export function plain(log: string): string {
  return log.replace(ESCAPES, '');
}

/**
 * The fields of the first readable line that has this message and names this text: those of the event, then those of its spans;
 * undefined when there is none. `span_name` is the innermost span.
 */
export function readableFields(log: string, message: string, named: string): CapturedRecord['fields'] | undefined {
  const line = plain(log).split('\n').find((text) => text.includes(`: ${message} `) && text.includes(named));
  if (line === undefined) return undefined;
  const spans = /^\S+ +[A-Z]+ (\S+): /.exec(line)?.[1]?.split(':') ?? [];
  const fields: Record<string, unknown> = { span_name: spans.at(-1) };
  // The event's own come first, and stand above those of its spans.
  for (const [, name = '', value = ''] of line.slice(line.indexOf(message)).matchAll(FIELD)) fields[name] ??= value.startsWith('"') ? JSON.parse(value) : value;
  return fields;
}
