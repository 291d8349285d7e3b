import { ID_PROPERTIES, type LogEntry } from './entry.js';
import { jsonText } from './json-text.js';

/** Where a field of a record is found, and how its name is written. */
export interface FieldPlace {
  readonly key: string;
  /** The name as JSON, between comma and colon. */
  readonly prefix: string;
  readonly holder: 'scope' | 'span' | 'event';
  readonly property: string;
}

/** The head of a JSON record: no field can stand for it. */
const RESERVED: ReadonlySet<string> = new Set(['time', 'level', 'target', 'message']);

const MAX_STEPS = 2000;
const MAX_KEY_LENGTH = 64;
let steps = 0;

/** One key of a sequence of keys; what follows it; the fields of the record whose sequence ends here. */
class Step {
  readonly #next = new Map<string | symbol, Step>();
  fields: readonly FieldPlace[] | undefined;

  /** Undefined when there are too many steps already: field names of callers must not fill the memory. */
  after(key: string | symbol): Step | undefined {
    const known = this.#next.get(key);
    if (known !== undefined) return known;
    if (steps >= MAX_STEPS || (typeof key === 'string' && key.length > MAX_KEY_LENGTH)) return undefined;
    steps += 1;
    const next = new Step();
    this.#next.set(key, next);
    return next;
  }
}

const FIRST = new Step();
/** Stands between the keys of the span and those of the event. */
const EVENT = Symbol('event');
/** As {@link EVENT}, for a record outside any request. */
const EVENT_ALONE = Symbol('event alone');

/**
 * The fields of an entry by name: the span's under those of the event, the ids above both. Records repeat few sequences of
 * keys, so the order is remembered for each: merging and sorting 20 fields costs 12 times what writing them does (bench: pieces).
 */
export function orderedFields(entry: LogEntry): readonly FieldPlace[] {
  const spanKeys = entry.scope?.logFields === undefined ? [] : Object.keys(entry.scope.logFields);
  const eventKeys = Object.keys(entry.fields);
  let step: Step | undefined = FIRST;
  for (let i = 0; step !== undefined && i < spanKeys.length; i += 1) step = step.after(spanKeys[i] as string);
  step = step?.after(entry.scope === undefined ? EVENT_ALONE : EVENT);
  for (let i = 0; step !== undefined && i < eventKeys.length; i += 1) step = step.after(eventKeys[i] as string);
  if (step === undefined) return order(spanKeys, eventKeys, entry.scope !== undefined);
  return (step.fields ??= order(spanKeys, eventKeys, entry.scope !== undefined));
}

function order(spanKeys: readonly string[], eventKeys: readonly string[], inRequest: boolean): FieldPlace[] {
  const places = new Map<string, FieldPlace>();
  const put = (key: string, holder: FieldPlace['holder'], property: string): void => void places.set(key, { key, prefix: `,${jsonText(key)}:`, holder, property });
  for (const key of spanKeys) put(key, 'span', key);
  for (const key of eventKeys) put(key, 'event', key);
  if (inRequest) for (const [key, property] of Object.entries(ID_PROPERTIES)) put(key, 'scope', property);
  return [...places.keys()].filter((key) => !RESERVED.has(key)).sort().map((key) => places.get(key) as FieldPlace);
}
