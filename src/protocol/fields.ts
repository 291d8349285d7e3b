import { DynamoTracingError } from '../errors/index.js';
import { decodeJson } from './json.js';

/** A decoded JSON or msgpack object whose fields are still to be checked. */
export type Fields = Readonly<Record<string, unknown>>;

/** ERR_MESSAGE_INVALID about `field`, e.g. `connection_info.info`. */
export function invalidField(field: string, problem: string, facts: object = {}): DynamoTracingError {
  return new DynamoTracingError('ERR_MESSAGE_INVALID', `${field} ${problem}`, { field, ...facts });
}

/** `value` as an object, or ERR_MESSAGE_INVALID about `field`. */
export function objectOf(value: unknown, field: string): Fields {
  if (!isObject(value)) throw invalidField(field, 'is not an object');
  return value;
}

/** JSON bytes as an object, or ERR_MESSAGE_INVALID about `field`. */
export function jsonObject(bytes: Uint8Array, field: string): Fields {
  return objectOf(decodeJson(bytes), field);
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The string `fields[name]`; `prefix` completes the path for the error. */
export function stringField(fields: Fields, name: string, prefix = ''): string {
  const value = own(fields, name);
  if (typeof value !== 'string') throw invalidField(prefix + name, 'is not a string');
  return value;
}

/** `fields[name]`, which must be one of `allowed`. */
export function choiceField<T extends string>(fields: Fields, name: string, allowed: readonly T[], prefix = ''): T {
  const value = own(fields, name);
  const found = allowed.find((choice) => choice === value);
  if (found === undefined) throw invalidField(prefix + name, `is not one of ${allowed.join(', ')}`);
  return found;
}

/** `fields[name]` with null read as absent (Rust writes an empty Option either way), inherited properties never. */
export function own(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? (fields[name] ?? undefined) : undefined;
}
