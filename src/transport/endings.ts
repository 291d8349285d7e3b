import { DynamoTracingError, isDynamoTracingError, type ErrorCode } from '../errors/index.js';
import type { Ack, FrameRefusal } from '../protocol/index.js';
import { reasonOf } from './abort.js';
import type { StreamEnd } from './types.js';

/** A promise that is settled from outside. */
export class Deferred<T> {
  readonly promise: Promise<T>;
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** The caller's signal aborted. */
export function cancelled(signal?: AbortSignal): DynamoTracingError {
  return new DynamoTracingError('ERR_CANCELLED', 'the request was cancelled by its caller', { cause: reasonOf(signal) });
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

export const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

const ACKS = {
  overloaded: ['ERR_WORKER_OVERLOADED', 'is at capacity'],
  unavailable: ['ERR_WORKER_UNAVAILABLE', 'is unavailable'],
  'unknown-endpoint': ['ERR_UNKNOWN_ENDPOINT', 'does not serve the endpoint'],
  rejected: ['ERR_REQUEST_REJECTED', 'refused the request'],
} as const satisfies Record<Exclude<Ack['kind'], 'accepted'>, readonly [ErrorCode, string]>;

/** The error for an acknowledgement that refuses the request; `ack` holds its text. */
export function ackError(ack: Ack, address: string, fact: 'address' | 'subject' = 'address'): DynamoTracingError {
  const [code, says] = ACKS[ack.kind === 'accepted' ? 'rejected' : ack.kind];
  return new DynamoTracingError(code, `worker ${address} ${says}: ${ack.text}`, { [fact]: address, ack: ack.text });
}
