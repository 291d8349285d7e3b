import { guarded, reportFault } from '../internal/index.js';
import type { TokenUsage, WorkerIds } from './completed-request.js';

const MAX_NAME_LENGTH = 256;
const MAX_DETAIL_LENGTH = 1024;

// What handlers tell of their request may be anything. What cannot be used is reported once and left out; the rest counts.

/** Token counts: integers from 0, BigInt too. */
export function readUsage(given: TokenUsage): TokenUsage {
  return { ...field(given, 'inputTokens', tokens), ...field(given, 'outputTokens', tokens), ...field(given, 'cachedTokens', tokens) };
}

/** Worker ids: text, BigInt, or integers that a number holds exactly. */
export function readWorkers(given: WorkerIds): WorkerIds {
  return { ...field(given, 'prefill', workerId), ...field(given, 'decode', workerId) };
}

/** A model's name. */
export function readModel(given: unknown): string | undefined {
  if (typeof given === 'string' && given !== '') return given.slice(0, MAX_NAME_LENGTH);
  return refused('trace.model', 'a name is text');
}

/** Type and detail of a failure. What has no usable type is `internal`: it has failed all the same. */
export function readFailure(type: unknown, detail: unknown): { readonly type: string; readonly detail: string | undefined } {
  const isNamed = typeof type === 'string' && type !== '';
  if (!isNamed || (detail !== undefined && typeof detail !== 'string')) refused('trace.fail', 'type and detail are text');
  return { type: isNamed ? type.slice(0, MAX_NAME_LENGTH) : 'internal', detail: typeof detail === 'string' ? detail.slice(0, MAX_DETAIL_LENGTH) : undefined };
}

function tokens(value: unknown): number | undefined {
  const count = typeof value === 'bigint' ? Number(value) : value;
  return Number.isSafeInteger(count) && (count as number) >= 0 ? (count as number) : refused('trace.usage', 'a count of tokens is an integer from 0');
}

function workerId(value: unknown): string | undefined {
  if (typeof value === 'string' || typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value).slice(0, MAX_NAME_LENGTH);
  return refused('trace.workers', 'an id of a worker is text, a BigInt or an integer');
}

/** The field `name` as an object to be spread: empty when it is absent or cannot be used. */
function field<K extends string, T>(given: { readonly [name in K]?: unknown }, name: K, read: (value: unknown) => T | undefined): { [name in K]?: T } {
  return guarded<{ [name in K]?: T }>(`trace.${name}`, () => {
    const value: unknown = given[name];
    const usable = value === undefined || value === null ? undefined : read(value);
    return (usable === undefined ? {} : { [name]: usable }) as { [name in K]?: T };
  }, {});
}

function refused(place: string, problem: string): undefined {
  reportFault(place, new TypeError(`${problem}; it is left out`));
  return undefined;
}
