import { reportFault } from '../internal/index.js';
import { ID_PROPERTIES, RECORDS } from '../logging/index.js';
import type { OwnFields } from './request-trace.js';

const MAX_FIELDS = 32;
const MAX_NAME_LENGTH = 64;
const MAX_TEXT_LENGTH = 1024;
/** Names that records have already: an application's field must not pass for one of ours. */
const TAKEN: ReadonlySet<string> = new Set(['time', 'level', 'target', 'message', 'method', 'uri', '__proto__', ...Object.keys(ID_PROPERTIES), ...Object.values(RECORDS).flatMap(({ fields }) => [...fields])]);

type OwnValue = string | number | boolean;

/** An application's own fields of one request, within bounds. They are kept among the fields that every log line of the request repeats. */
export class OwnFieldStore {
  readonly #names = new Set<string>();

  constructor(private readonly logFields: Record<string, unknown>) {}

  /** What was taken. */
  get fields(): Record<string, OwnValue> {
    return Object.fromEntries([...this.#names].map((name) => [name, this.logFields[name] as OwnValue]));
  }

  /** Takes what fits, returns it for the span, and reports the rest once. An undefined value removes a field. */
  set(fields: OwnFields): Record<string, OwnValue> {
    const taken: Record<string, OwnValue> = {};
    for (const [name, given] of Object.entries(fields)) {
      const value: unknown = typeof given === 'bigint' || typeof given === 'string' ? String(given).slice(0, MAX_TEXT_LENGTH) : given;
      const problem = this.#problemOf(name, value);
      if (problem !== undefined) {
        reportFault('trace.set', new Error(`${problem}; the field is left out`));
      } else if (value === undefined) {
        this.#names.delete(name);
        delete this.logFields[name];
      } else {
        this.#names.add(name);
        taken[name] = this.logFields[name] = value as OwnValue;
      }
    }
    return taken;
  }

  #problemOf(name: string, value: unknown): string | undefined {
    if (name === '' || name.length > MAX_NAME_LENGTH) return `a name has 1 to ${MAX_NAME_LENGTH} characters`;
    if (TAKEN.has(name)) return `${name} is a field of this package's records`;
    if (value === undefined) return undefined;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return 'a value is text, a number or a boolean';
    return this.#names.has(name) || this.#names.size < MAX_FIELDS ? undefined : `a request has at most ${MAX_FIELDS} own fields`;
  }
}
