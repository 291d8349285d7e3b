import { DynamoTracingError, errorFact, type ErrorCode } from '../../errors/index.js';

/** Names of the NATS client's errors, with our code and our words for them. */
const CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  NoResponders: ['ERR_WORKER_UNAVAILABLE', 'nobody serves the subject'],
  TimeoutError: ['ERR_ACK_TIMEOUT', 'the worker did not acknowledge in time'],
  ClosedConnectionError: ['ERR_CONNECT_FAILED', 'the NATS connection is closed'],
  DrainingConnectionError: ['ERR_CONNECT_FAILED', 'the NATS connection is draining'],
  PermissionViolationError: ['ERR_REQUEST_REJECTED', 'the NATS server does not permit it'],
  InvalidSubjectError: ['ERR_ADDRESS_INVALID', 'it is no subject'],
};

/** Turns an error of the NATS client into one of ours; its own or a cause's name decides. */
export function natsFailure(subject: string, cause: unknown, facts: Readonly<Record<string, unknown>>): DynamoTracingError {
  for (let error = cause, depth = 0; error !== undefined && depth < 4; error = errorFact(error, 'cause'), depth += 1) {
    const row = CODES[String(errorFact(error, 'name'))];
    if (row !== undefined) return new DynamoTracingError(row[0], `NATS request to ${subject}: ${row[1]}`, { ...facts, cause });
  }
  return new DynamoTracingError('ERR_CONNECTION_CLOSED', `NATS request to ${subject} failed: ${String(errorFact(cause, 'message') ?? cause)}`, { ...facts, cause });
}
