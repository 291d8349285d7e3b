import { errorNameFromWire, errorNameToWire, type DynamoErrorName } from '../errors/index.js';
import { isObject, own, type Fields } from './fields.js';

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
