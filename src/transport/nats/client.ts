import { DynamoTracingError, errorFact, type ErrorCode } from '../../errors/index.js';
import { readOptions } from '../../internal/index.js';
import { readAck, type RequestHeaders } from '../../protocol/index.js';
import { carrierOf, type NatsHeaders } from '../../trace-context/index.js';
import { StreamCaller } from '../client/stream-caller.js';
import { isAborted, whenAborted } from '../abort.js';
import { callDuration, durationOption } from '../deadline.js';
import { ackError, cancelled } from '../endings.js';
import { readCallOptions, type CallOptions } from '../settings.js';
import type { RequestDispatch } from '../types.js';
import { natsModule, type NatsConnection, type NatsMessage } from './connection.js';

/** Options of {@link natsDispatch}. */
export interface NatsDispatchOptions {
  /** Milliseconds from sending to the worker's acknowledgement. Default 5000. */
  readonly requestTimeoutMs?: number | undefined;
}

/** Options of a {@link NatsRequestPlaneClient}. */
export interface NatsClientOptions extends CallOptions, NatsDispatchOptions {}

/**
 * Calls workers over Dynamo's NATS request plane: requests go through the NATS server, responses come straight from the worker
 * over TCP, as on the TCP plane. Addresses are subjects. Closing it leaves the NATS connection open: that is its maker's.
 */
export class NatsRequestPlaneClient extends StreamCaller {
  readonly #dispatch: RequestDispatch;

  /** @throws ERR_OPTION_INVALID, ERR_ENV_INVALID */
  constructor(connection: NatsConnection, { requestTimeoutMs, ...options }: NatsClientOptions = {}) {
    super(readCallOptions('natsRequestPlaneClient', options));
    this.#dispatch = natsDispatch(connection, { requestTimeoutMs });
  }

  send(...request: Parameters<RequestDispatch['send']>): Promise<void> {
    return this.#dispatch.send(...request);
  }
}

const SPEC = { requestTimeoutMs: durationOption(5000, { min: 1 }) };

/**
 * The NATS request plane as a {@link RequestDispatch}: addresses are subjects, headers are NATS headers, the payload is one
 * message, the worker's empty reply is the acknowledgement. The connection stays the caller's.
 * @throws ERR_OPTION_INVALID
 */
export function natsDispatch(connection: NatsConnection, options?: NatsDispatchOptions): RequestDispatch {
  const { requestTimeoutMs } = readOptions('natsDispatch', SPEC, options);
  return {
    send: async (subject, headers, payloadParts, { signal, timeoutMs: given } = {}) => {
      const timeoutMs = callDuration(given, requestTimeoutMs, 'timeoutMs', 1);
      if (isAborted(signal)) throw cancelled(signal);
      const sent = natsHeaders(connection, headers);
      const payload = joined(payloadParts);
      refuseTooLarge(connection, headersSize(sent), payload.length);
      const reply = await unlessAborted(signal, request(connection, subject, payload, sent, timeoutMs));
      const ack = readAck(reply.data);
      if (ack.kind !== 'accepted') throw ackError(ack, subject, 'subject');
    },
  };
}

async function request(connection: NatsConnection, subject: string, payload: Uint8Array, headers: NatsHeaders, timeout: number): Promise<NatsMessage> {
  try {
    return await connection.request(subject, payload, { timeout, headers });
  } catch (cause) {
    throw natsFailure(subject, cause, { subject, timeoutMs: timeout });
  }
}

/** `x-endpoint-path` belongs to TCP: the subject says it here. */
function natsHeaders(connection: NatsConnection, headers: RequestHeaders): NatsHeaders {
  const target = natsModule(connection).headers();
  const carrier = carrierOf(target);
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'x-endpoint-path') continue;
    if (/[\r\n]/.test(value)) throw new DynamoTracingError('ERR_MESSAGE_INVALID', `request header ${name} has a line break`, { field: `headers.${name}` });
    carrier.set(name, value);
  }
  return target;
}

/** Bytes of the header block: a status line, `name: value` lines, an empty line. */
function headersSize(headers: NatsHeaders): number {
  let size = 'NATS/1.0\r\n\r\n'.length;
  for (const name of headers.keys()) for (const value of headers.values(name)) size += Buffer.byteLength(`${name}: ${value}\r\n`);
  return size;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first, ...more] = parts;
  return first !== undefined && more.length === 0 ? first : Buffer.concat(parts);
}

/** The server closes the connection of a client that sends too much; refused here, only this request fails. */
function refuseTooLarge(connection: NatsConnection, headersLength: number, payloadLength: number): void {
  const limit = connection.info?.max_payload;
  const size = headersLength + payloadLength;
  if (limit === undefined || limit <= 0 || size <= limit) return;
  throw new DynamoTracingError('ERR_FRAME_TOO_LARGE', `the request takes ${size} bytes with its headers (max_payload of the NATS server: ${limit} bytes)`, { size, limit });
}

/** The connection cannot take a request back: giving up leaves its answer unread. */
async function unlessAborted<T>(signal: AbortSignal | undefined, answer: Promise<T>): Promise<T> {
  if (signal === undefined) return answer;
  let unlisten = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    unlisten = whenAborted(signal, () => reject(cancelled(signal)));
  });
  return Promise.race([answer, aborted]).finally(unlisten);
}

/** Names of the NATS client's errors, with our code and our words for them. */
const CODES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  NoResponders: ['ERR_WORKER_UNAVAILABLE', 'nobody serves the subject'],
  TimeoutError: ['ERR_ACK_TIMEOUT', 'the worker did not acknowledge in time'],
  ClosedConnectionError: ['ERR_CONNECT_FAILED', 'the NATS connection is closed'],
  DrainingConnectionError: ['ERR_CONNECT_FAILED', 'the NATS connection is draining'],
  PermissionViolationError: ['ERR_REQUEST_REJECTED', 'the NATS server does not permit it'],
  InvalidSubjectError: ['ERR_ADDRESS_INVALID', 'it is not a valid NATS subject'],
};

/** Turns an error of the NATS client into one of ours; its own or a cause's name decides. */
function natsFailure(subject: string, cause: unknown, facts: Readonly<Record<string, unknown>>): DynamoTracingError {
  for (let error = cause, depth = 0; error !== undefined && depth < 4; error = errorFact(error, 'cause'), depth += 1) {
    const row = CODES[String(errorFact(error, 'name'))];
    if (row !== undefined) return new DynamoTracingError(row[0], `NATS request to ${subject}: ${row[1]}`, { ...facts, cause });
  }
  return new DynamoTracingError('ERR_CONNECTION_CLOSED', `NATS request to ${subject} failed: ${String(errorFact(cause, 'message') ?? cause)}`, { ...facts, cause });
}
