export { DynamoTracingError, errorFact, isDynamoTracingError, type ErrorFacts } from './error.js';
export { ERROR_TABLE, type ErrorCode } from './table.js';
