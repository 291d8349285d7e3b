import { invalidOption } from '../../internal/index.js';
import type { CapturedRecord, FinishedSpan } from '../record/index.js';
import { result, type CheckResult } from './result.js';

/** What is searched: a trace, or a harness with all of its requests. */
export interface Recorded {
  readonly spans: readonly FinishedSpan[];
  readonly records: readonly CapturedRecord[];
}

/** Nothing of `text` is in a name, attribute, event, link or status of a span, or in a record: as it is, or encoded. */
export function checkNoText(given: Recorded, text: string): CheckResult {
  if (typeof text !== 'string' || text === '') throw invalidOption('toLeakNoText(text)', 'the text to look for', text);
  const forms = formsOf(text);
  const found = [
    ...given.spans.flatMap((span) => placesIn(span, `span ${span.name}`, forms)),
    ...given.records.flatMap((record) => placesIn(record, `record "${record.message}"`, forms)),
  ];
  return result(found.length === 0, `no trace of ${JSON.stringify(shortened(text))} in spans and records`, () => ({ reason: `found in\n${found.map((place) => `  ${place}`).join('\n')}` }));
}

/** The text as JSON, a URL and base64 would carry it. */
function formsOf(text: string): ReadonlyMap<string, string> {
  const json = JSON.stringify(text).slice(1, -1);
  return new Map([[text, ''], [json, ' (as JSON)'], [JSON.stringify(json).slice(1, -1), ' (as JSON in JSON)'], [encodeURIComponent(text), ' (URL-encoded)'], [Buffer.from(text).toString('base64').replace(/=+$/, ''), ' (base64)']]);
}

function placesIn(value: unknown, path: string, forms: ReadonlyMap<string, string>, seen = new Set<unknown>()): string[] {
  if (typeof value === 'string') {
    for (const [form, how] of forms) if (value.includes(form)) return [`${path}: ${JSON.stringify(around(value, form))}${how}`];
    return [];
  }
  if (typeof value !== 'object' || value === null || seen.has(value)) return [];
  seen.add(value);
  const entries: [string, unknown][] = value instanceof Error ? [['message', value.message], ['stack', value.stack], ...Object.entries(value)] : Object.entries(value);
  return entries.flatMap(([key, inner]) => {
    const inKey = [...forms.keys()].some((form) => key.includes(form)) ? [`${path}: in the name of a field`] : [];
    return [...inKey, ...placesIn(inner, `${path}.${shortened(key)}`, forms, seen)];
  });
}

function around(value: string, form: string): string {
  const at = value.indexOf(form);
  return `${at > 20 ? '…' : ''}${value.slice(Math.max(at - 20, 0), at)}${shortened(form)}`;
}

function shortened(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
