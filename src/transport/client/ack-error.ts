import { DynamoTracingError, type ErrorCode } from '../../errors/index.js';
import type { Ack } from '../../protocol/index.js';

const CODES = {
  overloaded: ['ERR_WORKER_OVERLOADED', 'is at capacity'],
  unavailable: ['ERR_WORKER_UNAVAILABLE', 'is unavailable'],
  'unknown-endpoint': ['ERR_UNKNOWN_ENDPOINT', 'does not serve the endpoint'],
  rejected: ['ERR_REQUEST_REJECTED', 'refused the request'],
} as const satisfies Record<Exclude<Ack['kind'], 'accepted'>, readonly [ErrorCode, string]>;

/** The error for an acknowledgement that refuses the request; `ack` holds its text. */
export function ackError(ack: Ack, address: string): DynamoTracingError {
  const [code, says] = CODES[ack.kind === 'accepted' ? 'rejected' : ack.kind];
  return new DynamoTracingError(code, `worker ${address} ${says}: ${ack.text}`, { address, ack: ack.text });
}
