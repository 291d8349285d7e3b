import { DynamoTracingError, isDynamoTracingError } from '../errors/index.js';
import type { FrameRefusal } from '../protocol/index.js';
import type { StreamEnd } from './types.js';

/** The caller's signal aborted. */
export function cancelled(signal?: AbortSignal): DynamoTracingError {
  return new DynamoTracingError('ERR_CANCELLED', 'the request was cancelled by its caller', { cause: signal?.reason });
}

export function closed(message = 'the client is closed'): DynamoTracingError {
  return new DynamoTracingError('ERR_CLIENT_CLOSED', message);
}

/**
 * A worker's answer cannot be read: the worker is broken, or another program has its port. No cause: ERR_FRAME_TOO_LARGE would say
 * that the request is at fault.
 */
export function brokenWorker(problem: string | FrameRefusal, facts: object = {}): DynamoTracingError {
  const [says, sizes] = typeof problem === 'string' ? [problem, {}] : [problem.error.message, { size: problem.size, limit: problem.limit }];
  return new DynamoTracingError('ERR_WORKER_PROTOCOL', `the worker's answer cannot be read: ${says}`, { ...facts, ...sizes });
}

/** How a stream ends by what was thrown. */
export function endOf(error: unknown): StreamEnd {
  return isDynamoTracingError(error, 'ERR_CANCELLED') ? { outcome: 'cancelled', signal: 'kill' } : { outcome: 'error', error };
}
