export { DynamoTracingError, errorFact, isDynamoTracingError, type ErrorFacts } from './error.js';
export { DYNAMO_ERROR_NAMES, errorNameFromWire, errorNameToWire } from './error-names.js';
export { failureOf, sentTypeOf, type Failure } from './failure.js';
export { FAILURE_CODES, FAILURE_TYPES, STATUS_OF_FAILURE, type AttemptOutcome, type DynamoErrorName, type RecordedFailure, type WireErrorType } from './failure-table.js';
export { ERROR_TABLE, type ErrorCode } from './table.js';
