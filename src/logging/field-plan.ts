import { ID_PROPERTIES, type LogEntry, type LogFields } from './entry.js';
import { jsonText } from './json-text.js';

/** One field of a record: its name, and where its value is. */
export interface FieldPlace {
  readonly key: string;
  /** The name as it stands in a JSON record, between comma and colon. */
  readonly prefix: string;
  readonly holder: 'scope' | 'span' | 'event';
  readonly property: string;
}

/** The fields of a record (the span's under those of the event, the ids above both) in the orders that they are written in. */
export interface FieldPlan {
  /** The span's, the event's, the ids. */
  readonly merged: readonly FieldPlace[];
  /** By name, without those that the head of a JSON record has. */
  readonly byName: readonly FieldPlace[];
  /** For people: the event's, the ids, the span's; not the span's name. */
  readonly forPeople: readonly FieldPlace[];
}

const HEAD: ReadonlySet<string> = new Set(['time', 'level', 'target', 'message']);

export function valueAt({ fields, scope }: LogEntry, { holder, property }: FieldPlace): unknown {
  if (holder === 'event') return fields[property];
  return holder === 'scope' ? (scope as LogFields | undefined)?.[property] : scope?.logFields?.[property];
}

/**
 * The plan for an entry's keys. Records repeat few sequences of keys, so a plan is remembered for each: to merge and sort the
 * fields of every record costs twenty times what writing them does (bench: pieces).
 */
export function planOf({ fields, scope }: LogEntry): FieldPlan {
  const spanKeys = scope?.logFields === undefined ? NO_KEYS : Object.keys(scope.logFields);
  const eventKeys = Object.keys(fields);
  let step: Step | undefined = scope === undefined ? OUTSIDE : INSIDE;
  for (let i = 0; step !== undefined && i < spanKeys.length; i += 1) step = step.after(spanKeys[i] as string);
  step = step?.after(BORDER);
  for (let i = 0; step !== undefined && i < eventKeys.length; i += 1) step = step.after(eventKeys[i] as string);
  if (step === undefined) return makePlan(spanKeys, eventKeys, scope !== undefined);
  return (step.plan ??= makePlan(spanKeys, eventKeys, scope !== undefined));
}

const NO_KEYS: readonly string[] = [];
/** Names of callers' fields must not fill the memory: beyond this a plan is made and forgotten. */
const MAX_STEPS = 2000;
const MAX_KEY_LENGTH = 64;
let steps = 0;

/** A sequence of keys as far as one of them; the plan of the records that have no further one. */
class Step {
  readonly #next = new Map<string | symbol, Step>();
  plan: FieldPlan | undefined;

  /** Undefined when there are too many steps, or the key is too long, to be remembered. */
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

/** Where the sequences begin of records inside a request, and outside any. */
const INSIDE = new Step();
const OUTSIDE = new Step();
/** Stands between the keys of the span and those of the event. */
const BORDER = Symbol('event');

function makePlan(spanKeys: readonly string[], eventKeys: readonly string[], inside: boolean): FieldPlan {
  const places = new Map<string, FieldPlace>();
  const put = (key: string, holder: FieldPlace['holder'], property: string): void => void places.set(key, { key, prefix: `,${jsonText(key)}:`, holder, property });
  for (const key of spanKeys) put(key, 'span', key);
  for (const key of eventKeys) put(key, 'event', key);
  if (inside) for (const [key, property] of Object.entries(ID_PROPERTIES)) put(key, 'scope', property);
  const inOrder = (keys: Iterable<string>): FieldPlace[] => [...keys].flatMap((key) => places.get(key) ?? []);
  return {
    merged: [...places.values()],
    byName: inOrder([...places.keys()].filter((key) => !HEAD.has(key)).sort()),
    forPeople: inOrder(new Set([...eventKeys, ...Object.keys(ID_PROPERTIES), ...places.keys()])).filter(({ key }) => key !== 'span_name'),
  };
}
