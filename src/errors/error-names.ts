import { errorFact } from './error.js';
import { FAILURE_TYPES, type DynamoErrorName, type WireErrorType } from './failure-table.js';

/** All {@link DynamoErrorName}s. */
export const DYNAMO_ERROR_NAMES: readonly DynamoErrorName[] = Object.freeze(Object.keys(FAILURE_TYPES) as DynamoErrorName[]);

/** Wire spelling to name, Backend variants as `Backend:<X>`; of two that are written alike the older one. Then those that only newer peers write. */
const NAMES = new Map<string, DynamoErrorName>([
  ...[...DYNAMO_ERROR_NAMES].reverse().map((name) => [spelling(FAILURE_TYPES[name].wire), name] as const),
  ['WorkerUnavailable', 'worker_unavailable'],
  ['DeadlineExceeded', 'deadline_exceeded'],
]);

/** The name of an error type as it was read: `unknown` for anything that is not known. */
export function errorNameFromWire(value: unknown): DynamoErrorName {
  if (typeof value === 'string') return value.startsWith('Backend:') ? 'unknown' : (NAMES.get(value) ?? 'unknown');
  const backend = errorFact(value, 'Backend');
  return typeof backend === 'string' ? (NAMES.get(`Backend:${backend}`) ?? 'backend_unknown') : 'unknown';
}

/** The wire spelling of an error type: always one that peers of any age know. */
export function errorNameToWire(name: DynamoErrorName): WireErrorType {
  return FAILURE_TYPES[name].wire;
}

function spelling(type: WireErrorType): string {
  return typeof type === 'string' ? type : `Backend:${type.Backend}`;
}
