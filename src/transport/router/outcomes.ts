import { errorFact, isDynamoTracingError, type ErrorCode } from '../../errors/index.js';
import { DYNAMO_ERROR_NAMES, errorNameFromWire, type DynamoErrorName } from '../../protocol/index.js';

/** How an attempt on a worker ended: `request.outcome` of its span. Names are Dynamo's (facts 14.1). */
export type AttemptOutcome = 'success' | 'cancelled' | 'worker_disconnected' | 'connection_failed' | 'timeout' | 'rejected' | 'unavailable' | 'error';

interface ErrorTypeRow {
  readonly outcome: AttemptOutcome;
  /** Whether the fault is this worker's or its connection's, so that another worker may do better. The set is Dynamo's. */
  readonly migratable: boolean;
}

/** Dynamo's error types by their names in spans (`error.type`, `migration.reason`), each with its outcome. */
export const ERROR_TYPES = {
  unknown: { outcome: 'error', migratable: false },
  invalid_argument: { outcome: 'rejected', migratable: false },
  cannot_connect: { outcome: 'connection_failed', migratable: true },
  disconnected: { outcome: 'worker_disconnected', migratable: true },
  connection_timeout: { outcome: 'timeout', migratable: true },
  response_timeout: { outcome: 'timeout', migratable: true },
  cancelled: { outcome: 'cancelled', migratable: false },
  // The deadline was the caller's. Stored versions of Dynamo differ between cancelled and timeout.
  deadline_exceeded: { outcome: 'cancelled', migratable: false },
  resource_exhausted: { outcome: 'rejected', migratable: false },
  unavailable: { outcome: 'unavailable', migratable: false },
  worker_overloaded: { outcome: 'rejected', migratable: true },
  worker_unavailable: { outcome: 'unavailable', migratable: true },
  backend_unknown: { outcome: 'error', migratable: false },
  backend_invalid_argument: { outcome: 'rejected', migratable: false },
  backend_cannot_connect: { outcome: 'connection_failed', migratable: false },
  backend_disconnected: { outcome: 'worker_disconnected', migratable: false },
  backend_connection_timeout: { outcome: 'timeout', migratable: false },
  backend_response_timeout: { outcome: 'timeout', migratable: false },
  backend_cancelled: { outcome: 'cancelled', migratable: false },
  engine_shutdown: { outcome: 'worker_disconnected', migratable: true },
  stream_incomplete: { outcome: 'worker_disconnected', migratable: true },
} as const satisfies Record<DynamoErrorName, ErrorTypeRow>;

/**
 * Our error codes as Dynamo's error types. A code that is not here is `unknown`; ERR_WORKER_ERROR and ERR_GENERATE_FAILED go
 * by the type that the worker sent when it sent one.
 */
export const ERROR_TYPE_OF_CODE = {
  ERR_CONNECT_FAILED: 'cannot_connect',
  ERR_ADDRESS_INVALID: 'cannot_connect',
  ERR_CONNECT_TIMEOUT: 'connection_timeout',
  ERR_ACK_TIMEOUT: 'connection_timeout',
  ERR_PROLOGUE_TIMEOUT: 'response_timeout',
  ERR_RESPONSE_TIMEOUT: 'response_timeout',
  ERR_CONNECTION_CLOSED: 'disconnected',
  ERR_STREAM_INCOMPLETE: 'disconnected',
  ERR_GENERATE_FAILED: 'cannot_connect',
  ERR_WORKER_OVERLOADED: 'worker_overloaded',
  ERR_WORKER_UNAVAILABLE: 'worker_unavailable',
  ERR_UNKNOWN_ENDPOINT: 'worker_unavailable',
  ERR_REQUEST_REJECTED: 'invalid_argument',
  ERR_FRAME_TOO_LARGE: 'invalid_argument',
  ERR_FRAME_FIELD_TOO_LONG: 'invalid_argument',
  ERR_CODEC_UNSUPPORTED: 'invalid_argument',
  ERR_OPTION_INVALID: 'invalid_argument',
  ERR_TOO_MANY_IN_FLIGHT: 'resource_exhausted',
  ERR_NO_WORKERS: 'unavailable',
  ERR_DISCOVERY: 'unavailable',
  ERR_CANCELLED: 'cancelled',
  // This side is closing: the worker did nothing wrong.
  ERR_CLIENT_CLOSED: 'cancelled',
} as const satisfies Partial<Record<ErrorCode, DynamoErrorName>>;

/** Codes of errors that carry the error type which the worker sent, under its name in spans or as it stands on the wire. */
const TYPED_BY_WORKER: readonly ErrorCode[] = ['ERR_WORKER_ERROR', 'ERR_GENERATE_FAILED'];

/** What an error means to a router. */
export interface Failure {
  readonly errorType: DynamoErrorName;
  readonly outcome: AttemptOutcome;
  /** Another worker may do better. */
  readonly migratable: boolean;
  /** The worker or the way to it is at fault: it is left alone for a while. Not for one that is merely busy. */
  readonly inhibits: boolean;
}

/** Classifies anything that a request can fail with. Never throws. */
export function classifyFailure(error: unknown): Failure {
  const errorType = errorTypeOf(error);
  const { outcome, migratable } = ERROR_TYPES[errorType];
  return { errorType, outcome, migratable, inhibits: migratable && !BUSY.has(errorType) && errorFact(error, 'code') !== 'ERR_GENERATE_FAILED' };
}

// A worker at capacity is well, and a generate() that fails may be the request's fault: one bad request must not shut out every worker.
const BUSY: ReadonlySet<DynamoErrorName> = new Set<DynamoErrorName>(['worker_overloaded']);

function errorTypeOf(error: unknown): DynamoErrorName {
  if (!isDynamoTracingError(error)) return 'unknown';
  const sent = isDynamoTracingError(error, ...TYPED_BY_WORKER) ? errorFact(error, 'errorType') : undefined;
  if (sent !== undefined) return DYNAMO_ERROR_NAMES.find((name) => name === sent) ?? errorNameFromWire(sent);
  return (ERROR_TYPE_OF_CODE as Readonly<Partial<Record<ErrorCode, DynamoErrorName>>>)[error.code] ?? 'unknown';
}
