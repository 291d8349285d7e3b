import type { ErrorCode } from './table.js';

/** How an error type is spelled on the wire. */
export type WireErrorType = string | { readonly Backend: string };

/** How an attempt on a worker ended: `request.outcome` of its span. Names are Dynamo's (facts 14.1). */
export type AttemptOutcome = 'success' | 'cancelled' | 'worker_disconnected' | 'connection_failed' | 'timeout' | 'rejected' | 'unavailable' | 'error';

/** What a failure is for records and metrics (`error_type`), and the HTTP status that goes with it. 529 is Dynamo's default for overload. */
export const STATUS_OF_FAILURE = { validation: 400, overload: 529, unavailable: 503, cancelled: 499, response_timeout: 504, internal: 500 } as const;
export type RecordedFailure = keyof typeof STATUS_OF_FAILURE;

export interface FailureRow {
  readonly outcome: AttemptOutcome;
  /** `error_type` of records. */
  readonly recorded: RecordedFailure;
  /** The fault is this worker's or its connection's, so that another worker may do better. */
  readonly migratable: boolean;
  /** The worker is left alone for a while. */
  readonly inhibits: boolean;
}

export interface FailureTypeRow extends FailureRow {
  /** Always a spelling that peers of any age know: the oldest lose the whole frame over an unknown one. */
  readonly wire: WireErrorType;
}

const STAY = { migratable: false, inhibits: false } as const;
const MOVE = { migratable: true, inhibits: true } as const;

/**
 * Dynamo's error types by their names in spans (`error.type`, `migration.reason`). Which are migratable is Dynamo's choice. The last two
 * are newer than the oldest peers and are written as the old type that leads to the same reaction (a missed deadline must not be
 * retried elsewhere).
 */
export const FAILURE_TYPES = {
  unknown: { wire: 'Unknown', outcome: 'error', recorded: 'internal', ...STAY },
  invalid_argument: { wire: 'InvalidArgument', outcome: 'rejected', recorded: 'validation', ...STAY },
  cannot_connect: { wire: 'CannotConnect', outcome: 'connection_failed', recorded: 'unavailable', ...MOVE },
  disconnected: { wire: 'Disconnected', outcome: 'worker_disconnected', recorded: 'internal', ...MOVE },
  connection_timeout: { wire: 'ConnectionTimeout', outcome: 'timeout', recorded: 'unavailable', ...MOVE },
  response_timeout: { wire: 'ResponseTimeout', outcome: 'timeout', recorded: 'response_timeout', ...MOVE },
  cancelled: { wire: 'Cancelled', outcome: 'cancelled', recorded: 'cancelled', ...STAY },
  resource_exhausted: { wire: 'ResourceExhausted', outcome: 'rejected', recorded: 'overload', ...STAY },
  // A worker at capacity is well: the next request may find room.
  worker_overloaded: { wire: 'WorkerOverloaded', outcome: 'rejected', recorded: 'overload', migratable: true, inhibits: false },
  unavailable: { wire: 'Unavailable', outcome: 'unavailable', recorded: 'unavailable', ...STAY },
  backend_unknown: { wire: { Backend: 'Unknown' }, outcome: 'error', recorded: 'internal', ...STAY },
  backend_invalid_argument: { wire: { Backend: 'InvalidArgument' }, outcome: 'rejected', recorded: 'validation', ...STAY },
  backend_cannot_connect: { wire: { Backend: 'CannotConnect' }, outcome: 'connection_failed', recorded: 'unavailable', ...STAY },
  backend_disconnected: { wire: { Backend: 'Disconnected' }, outcome: 'worker_disconnected', recorded: 'internal', ...STAY },
  backend_connection_timeout: { wire: { Backend: 'ConnectionTimeout' }, outcome: 'timeout', recorded: 'unavailable', ...STAY },
  backend_response_timeout: { wire: { Backend: 'ResponseTimeout' }, outcome: 'timeout', recorded: 'response_timeout', ...STAY },
  backend_cancelled: { wire: { Backend: 'Cancelled' }, outcome: 'cancelled', recorded: 'cancelled', ...STAY },
  engine_shutdown: { wire: { Backend: 'EngineShutdown' }, outcome: 'worker_disconnected', recorded: 'unavailable', ...MOVE },
  stream_incomplete: { wire: { Backend: 'StreamIncomplete' }, outcome: 'worker_disconnected', recorded: 'internal', ...MOVE },
  worker_unavailable: { wire: 'Unavailable', outcome: 'unavailable', recorded: 'unavailable', ...MOVE },
  // The deadline was the caller's. Stored versions of Dynamo differ between cancelled and timeout.
  deadline_exceeded: { wire: 'Cancelled', outcome: 'cancelled', recorded: 'response_timeout', ...STAY },
} as const satisfies Record<string, FailureTypeRow>;

/** Names of error types as `error.type` of spans has them, e.g. `disconnected`, `engine_shutdown`, `backend_cancelled`. */
export type DynamoErrorName = keyof typeof FAILURE_TYPES;

export interface FailureCodeRow extends Partial<FailureRow> {
  /** Its error type; the rest of the row is what differs from that type's. */
  readonly type: DynamoErrorName;
  /** The type that a worker sends when its handler lets the error through. Default `backend_unknown`. */
  readonly sent?: DynamoErrorName;
}

/** Our error codes. A code that is not here is `unknown`; those that carry the type which a worker sent go by that type. */
export const FAILURE_CODES = {
  ERR_CONNECT_FAILED: { type: 'cannot_connect', sent: 'backend_cannot_connect' },
  ERR_ADDRESS_INVALID: { type: 'cannot_connect', recorded: 'internal' },
  ERR_CONNECT_TIMEOUT: { type: 'connection_timeout', sent: 'backend_connection_timeout' },
  ERR_ACK_TIMEOUT: { type: 'connection_timeout', sent: 'backend_connection_timeout', recorded: 'response_timeout' },
  // The worker has acknowledged the request: it is alive, and the request stands in its queue or runs. Another would only do the work twice.
  // It is left alone where it has never called home (`calledHome`).
  ERR_PROLOGUE_TIMEOUT: { type: 'response_timeout', sent: 'backend_response_timeout', ...STAY },
  ERR_RESPONSE_TIMEOUT: { type: 'response_timeout', sent: 'backend_response_timeout' },
  ERR_CONNECTION_CLOSED: { type: 'disconnected', sent: 'backend_disconnected' },
  ERR_WORKER_PROTOCOL: { type: 'disconnected', sent: 'backend_disconnected' },
  ERR_STREAM_INCOMPLETE: { type: 'disconnected', sent: 'stream_incomplete' },
  // May be the request's fault: one bad request must not shut out every worker.
  ERR_GENERATE_FAILED: { type: 'cannot_connect', inhibits: false },
  ERR_WORKER_ERROR: { type: 'unknown' },
  ERR_WORKER_OVERLOADED: { type: 'worker_overloaded', sent: 'worker_overloaded' },
  ERR_WORKER_UNAVAILABLE: { type: 'worker_unavailable' },
  ERR_UNKNOWN_ENDPOINT: { type: 'worker_unavailable' },
  ERR_REQUEST_REJECTED: { type: 'invalid_argument', recorded: 'internal' },
  ERR_FRAME_TOO_LARGE: { type: 'invalid_argument' },
  ERR_FRAME_FIELD_TOO_LONG: { type: 'invalid_argument', recorded: 'internal' },
  ERR_CODEC_UNSUPPORTED: { type: 'invalid_argument', recorded: 'internal' },
  ERR_OPTION_INVALID: { type: 'invalid_argument', sent: 'backend_invalid_argument', recorded: 'internal' },
  ERR_TOO_MANY_IN_FLIGHT: { type: 'resource_exhausted' },
  // Of this side: no worker is to blame.
  ERR_LISTEN_FAILED: { type: 'unavailable' },
  ERR_NO_WORKERS: { type: 'unavailable' },
  ERR_DISCOVERY: { type: 'unavailable' },
  ERR_CANCELLED: { type: 'cancelled', sent: 'backend_cancelled' },
  ERR_CLIENT_CLOSED: { type: 'cancelled', sent: 'engine_shutdown', recorded: 'unavailable' },
} as const satisfies Partial<Record<ErrorCode, FailureCodeRow>>;
