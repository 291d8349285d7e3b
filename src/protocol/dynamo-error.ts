import { FAILURE_TYPES, type DynamoErrorName, type WireErrorType } from './failure-table.js';
import { isObject, own, type Fields } from './fields.js';

/** All {@link DynamoErrorName}s. */
export const DYNAMO_ERROR_NAMES: readonly DynamoErrorName[] = Object.freeze(Object.keys(FAILURE_TYPES) as DynamoErrorName[]);

/** Wire spelling to name, Backend variants as `Backend:<X>`; of two that are written alike the older one. Then those that only newer peers write. */
const NAMES = new Map<string, DynamoErrorName>([
  ...[...DYNAMO_ERROR_NAMES].reverse().map((name) => [spelling(FAILURE_TYPES[name].wire), name] as const),
  ['WorkerUnavailable', 'worker_unavailable'],
  ['DeadlineExceeded', 'deadline_exceeded'],
]);

/** Nested causes that are read or written; the rest is left out. */
const MAX_CAUSES = 16;

/** An error that travels in a prologue or a response item. */
export interface DynamoError {
  readonly errorType: DynamoErrorName;
  readonly message: string;
  readonly causedBy?: DynamoError;
  /** Newer peers: e.g. `Internal`. Read only. */
  readonly class?: string;
  /** Newer peers: e.g. `transport.disconnected`, `capacity.worker_overloaded`. Read only. */
  readonly reason?: string;
  /** Newer peers: detail for logs, in any shape. Read only. */
  readonly diagnostic?: unknown;
  /** Newer peers: what may be shown to a user, `{type: 'message' | 'size_limit' | 'context_length' | 'rate_limit', ...}`. Read only. */
  readonly public?: unknown;
}

/** The name of an error type as it was read: `unknown` for anything that is not known. */
export function errorNameFromWire(value: unknown): DynamoErrorName {
  if (typeof value === 'string') return value.startsWith('Backend:') ? 'unknown' : (NAMES.get(value) ?? 'unknown');
  const backend = isObject(value) ? own(value, 'Backend') : undefined;
  return typeof backend === 'string' ? (NAMES.get(`Backend:${backend}`) ?? 'backend_unknown') : 'unknown';
}

/** The wire spelling of an error type: always one that peers of any age know. */
export function errorNameToWire(name: DynamoErrorName): WireErrorType {
  return FAILURE_TYPES[name].wire;
}

/** Writes an error: type, message and causes (at most 16), nothing that an old peer could refuse. */
export function errorToWire(error: DynamoError, causes = MAX_CAUSES): Fields {
  const { errorType, message, causedBy } = error;
  const wire = { error_type: errorNameToWire(errorType), message };
  return causedBy === undefined || causes === 0 ? wire : { ...wire, caused_by: errorToWire(causedBy, causes - 1) };
}

/** Reads an error and never throws: unknown types become `unknown`, text stands for its message, wrong fields are left out. */
export function errorFromWire(value: unknown, causes = MAX_CAUSES): DynamoError {
  if (!isObject(value)) return { errorType: 'unknown', message: typeof value === 'string' ? value : '' };
  const message = own(value, 'message');
  const cause = causes > 0 ? own(value, 'caused_by') : undefined;
  const diagnostic = own(value, 'diagnostic');
  const shown = own(value, 'public');
  return {
    errorType: errorNameFromWire(own(value, 'error_type')),
    message: typeof message === 'string' ? message : '',
    ...(isObject(cause) ? { causedBy: errorFromWire(cause, causes - 1) } : {}),
    ...textField(value, 'class'),
    ...textField(value, 'reason'),
    ...(diagnostic === undefined ? {} : { diagnostic }),
    ...(shown === undefined ? {} : { public: shown }),
  };
}

function textField(fields: Fields, name: 'class' | 'reason'): { class?: string; reason?: string } {
  const value = own(fields, name);
  return typeof value === 'string' ? { [name]: value } : {};
}

function spelling(type: WireErrorType): string {
  return typeof type === 'string' ? type : `Backend:${type.Backend}`;
}
