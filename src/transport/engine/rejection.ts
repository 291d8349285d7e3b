import { DynamoTracingError, errorFact } from '../../errors/index.js';
import type { DynamoError } from '../../protocol/index.js';

const TEXT = /^error(?:: ?([\s\S]*))?$/;

/**
 * The failure that an engine's output tells in place of a finish reason: `{ error: text }` as Dynamo writes it, `error: text` as its
 * Python workers do.
 */
export function rejectionOf(output: unknown): DynamoError | undefined {
  const reason = errorFact(output, 'finish_reason');
  const error = typeof reason === 'string' ? textOf(reason) : errorFact(reason, 'error');
  return typeof error === 'string' ? { errorType: 'backend_unknown', message: error } : undefined;
}

/** A failure that a worker tells, as the error that is thrown. */
export function workerError(failure: DynamoError): DynamoTracingError {
  return new DynamoTracingError('ERR_WORKER_ERROR', failure.message === '' ? `the worker failed: ${failure.errorType}` : failure.message, { errorType: failure.errorType, workerError: failure });
}

function textOf(reason: string): string | undefined {
  const found = TEXT.exec(reason);
  return found === null ? undefined : (found[1] ?? '');
}
