import { isAsyncFunction } from 'node:util/types';
import { DynamoTracingError } from '../errors/index.js';

/** Reads one option: gets what the user wrote (undefined when absent) and gives the value to use, or throws. */
export type OptionReader<T> = (value: unknown, path: string) => T;

type Spec = Readonly<Record<string, OptionReader<unknown>>>;
export type OptionsOf<S extends Spec> = Readonly<{ [K in keyof S]: ReturnType<S[K]> }>;

/**
 * Reads an options object once: unknown keys and wrong values are refused with their path, the result is frozen.
 * @throws ERR_OPTION_INVALID
 */
export function readOptions<S extends Spec>(owner: string, spec: S, input: unknown): OptionsOf<S> {
  if (input !== undefined && !isPlainObject(input)) throw invalidOption(owner, 'an object', input);
  const given: Readonly<Record<string, unknown>> = input ?? {};
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(spec, key)) throw new DynamoTracingError('ERR_OPTION_INVALID', `${owner}.${key} is not an option; there are: ${Object.keys(spec).join(', ')}`, { path: `${owner}.${key}` });
  }
  const result: Record<string, unknown> = {};
  for (const [key, read] of Object.entries(spec)) result[key] = read(given[key], `${owner}.${key}`);
  return Object.freeze(result) as OptionsOf<S>;
}

/** The error for a value that is not `wanted`. */
export function invalidOption(path: string, wanted: string, got: unknown): DynamoTracingError {
  return new DynamoTracingError('ERR_OPTION_INVALID', `${path} must be ${wanted}, got ${describe(got)}`, { path });
}

export function booleanOption(fallback: boolean): OptionReader<boolean> {
  return (value, path) => {
    if (value === undefined) return fallback;
    if (typeof value !== 'boolean') throw invalidOption(path, 'true or false', value);
    return value;
  };
}

export function enumOption<const T extends string>(choices: readonly T[], fallback: T): OptionReader<T> {
  return (value, path) => {
    if (value === undefined) return fallback;
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) throw invalidOption(path, `one of ${choices.map((c) => `'${c}'`).join(', ')}`, value);
    return choice;
  };
}

/** A number between `min` and `max`, both included; an integer unless `fraction` is set. */
export function numberOption(fallback: number, { min = 0, max = Number.MAX_SAFE_INTEGER, fraction = false } = {}): OptionReader<number> {
  return (value, path) => {
    if (value === undefined) return fallback;
    const ok = typeof value === 'number' && value >= min && value <= max && (fraction || Number.isInteger(value));
    if (!ok) throw invalidOption(path, `${fraction ? 'a number' : 'an integer'} from ${min} to ${max}`, value);
    return value;
  };
}

export function stringOption(fallback: string): OptionReader<string> {
  return (value, path) => {
    if (value === undefined) return fallback;
    if (typeof value !== 'string') throw invalidOption(path, 'a string', value);
    return value;
  };
}

/** A value that may be absent; when present, `test` decides whether it can be used. */
export function optionalOption<T>(wanted: string, test: (value: unknown) => boolean): OptionReader<T | undefined> {
  return (value, path) => {
    if (value === undefined) return undefined;
    if (!test(value)) throw invalidOption(path, wanted, value);
    return value as T;
  };
}

/** A function that decides something now: an async one cannot. `or` says what else it may be. */
export function decisionOption<T extends (...args: never[]) => unknown>(or = ''): OptionReader<T | undefined> {
  return optionalOption<T>(`${or}a function that answers at once (not an async one)`, (value) => typeof value === 'function' && !isAsyncFunction(value));
}

export function functionOption<T extends (...args: never[]) => unknown>(): OptionReader<T | undefined> {
  return optionalOption<T>('a function', (value) => typeof value === 'function');
}

/** Not an array, Map or other collection: its content would be ignored. */
function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !(Symbol.iterator in value);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 64));
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint' || value === null) return String(value);
  const kind = Object.prototype.toString.call(value).slice('[object '.length, -1);
  return `${/^[AEIOU]/.test(kind) ? 'an' : 'a'} ${kind}`;
}
