import { errorFact, isDynamoTracingError } from './error.js';
import { DYNAMO_ERROR_NAMES, errorNameFromWire } from './error-names.js';
import { FAILURE_CODES, FAILURE_TYPES, STATUS_OF_FAILURE, type DynamoErrorName, type FailureCodeRow, type FailureRow } from './failure-table.js';
import type { ErrorCode } from './table.js';

/** What an error means to routers, records and HTTP. */
export interface Failure extends FailureRow {
  readonly errorType: DynamoErrorName;
  readonly status: number;
}

/** Codes of errors that carry the error type which the worker sent, under its name in spans or as it stands on the wire. */
const TYPED_BY_WORKER: readonly ErrorCode[] = ['ERR_WORKER_ERROR', 'ERR_GENERATE_FAILED'];

/** Reads anything that a request can fail with by the table of failures. Never throws. */
export function failureOf(error: unknown): Failure {
  const code = isDynamoTracingError(error) ? rowOf(error.code) : undefined;
  const errorType = sentType(error) ?? code?.type ?? 'unknown';
  const { outcome, recorded, migratable, inhibits } = { ...FAILURE_TYPES[errorType], ...(code?.type === errorType ? code : {}) };
  return { errorType, outcome, recorded, migratable, inhibits: (inhibits && !mayBeTheRequests(error, errorType)) || isStranger(error), status: STATUS_OF_FAILURE[recorded] };
}

/** The type that a worker sends for an error of this package that its handler let through. */
export function sentTypeOf(code: ErrorCode): DynamoErrorName | undefined {
  return rowOf(code)?.sent;
}

/** A generate() that failed, unless the worker said that it is going. */
function mayBeTheRequests(error: unknown, errorType: DynamoErrorName): boolean {
  return isDynamoTracingError(error, 'ERR_GENERATE_FAILED') && errorType !== 'engine_shutdown';
}

/** It acknowledges, and nothing that was sent to it has ever been answered: no worker with a long queue, but another program. */
function isStranger(error: unknown): boolean {
  return isDynamoTracingError(error, 'ERR_PROLOGUE_TIMEOUT') && errorFact(error, 'calledHome') === false;
}

function sentType(error: unknown): DynamoErrorName | undefined {
  const sent = isDynamoTracingError(error, ...TYPED_BY_WORKER) ? errorFact(error, 'errorType') : undefined;
  return sent === undefined ? undefined : (DYNAMO_ERROR_NAMES.find((name) => name === sent) ?? errorNameFromWire(sent));
}

function rowOf(code: string): FailureCodeRow | undefined {
  return Object.hasOwn(FAILURE_CODES, code) ? FAILURE_CODES[code as keyof typeof FAILURE_CODES] : undefined;
}
