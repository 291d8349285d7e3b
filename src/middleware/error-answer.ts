import { STATUS_CODES } from 'node:http';
import { errorFact } from '../errors/index.js';
import { classifyError, DEFAULT_OVERLOAD_STATUS, type ClassifyOptions, type ErrorType } from './error-type.js';

/** How a thrown error is answered: `message` is meant for the client and tells nothing of the inside. */
export interface ErrorAnswer {
  readonly status: number;
  readonly type: ErrorType;
  readonly message: string;
}

/**
 * The answer to anything a handler or body parser throws: errors of this package by their code, what fetch and sockets throw,
 * errors with a status (http-errors, body-parser, Fastify, the official SDKs), else 500. A timeout is 504, which Dynamo, cutting the
 * stream instead, has no status for. Never throws.
 */
export function classifyThrown(error: unknown, { overloadStatus = DEFAULT_OVERLOAD_STATUS }: Pick<ClassifyOptions, 'overloadStatus'> = {}): ErrorAnswer {
  try {
    return ownAnswer(error, overloadStatus) ?? parserAnswer(error) ?? systemAnswer(error, overloadStatus) ?? statusAnswer(error, overloadStatus) ?? answer('internal', overloadStatus);
  } catch {
    return answer('internal', overloadStatus); // A getter of the error threw.
  }
}

/** Status and client-facing text of each type, as Dynamo words them. */
function answer(type: ErrorType, overloadStatus: number): ErrorAnswer {
  const [status, message] = ANSWERS[type] ?? [500, 'Internal server error'];
  return { status: type === 'overload' ? overloadStatus : status, type, message };
}

const ANSWERS: Readonly<Partial<Record<ErrorType, readonly [number, string]>>> = {
  validation: [400, 'Validation: invalid request'],
  not_found: [404, 'Not found'],
  not_implemented: [501, 'Not implemented'],
  overload: [DEFAULT_OVERLOAD_STATUS, 'Service temporarily overloaded'],
  unavailable: [503, 'Service temporarily unavailable'],
  cancelled: [499, 'Request cancelled'],
  response_timeout: [504, 'Request timed out'],
};

const TYPE_OF_CODE: Readonly<Record<string, ErrorType>> = {
  ERR_FRAME_TOO_LARGE: 'validation',
  ERR_WORKER_OVERLOADED: 'overload',
  ERR_TOO_MANY_IN_FLIGHT: 'overload',
  ERR_NO_WORKERS: 'unavailable',
  ERR_WORKER_UNAVAILABLE: 'unavailable',
  ERR_UNKNOWN_ENDPOINT: 'unavailable',
  ERR_CONNECT_FAILED: 'unavailable',
  ERR_CONNECT_TIMEOUT: 'unavailable',
  ERR_DISCOVERY: 'unavailable',
  ERR_CLIENT_CLOSED: 'unavailable',
  ERR_CANCELLED: 'cancelled',
  ERR_ACK_TIMEOUT: 'response_timeout',
  ERR_PROLOGUE_TIMEOUT: 'response_timeout',
  ERR_RESPONSE_TIMEOUT: 'response_timeout',
};

/** What a worker calls its error, with Dynamo's `Backend` variants under the same names. */
const TYPE_OF_WORKER_ERROR: Readonly<Record<string, ErrorType>> = {
  invalid_argument: 'validation',
  resource_exhausted: 'overload',
  worker_overloaded: 'overload',
  unavailable: 'unavailable',
  worker_unavailable: 'unavailable',
  cancelled: 'cancelled',
  response_timeout: 'response_timeout',
};

function ownAnswer(error: unknown, overloadStatus: number): ErrorAnswer | undefined {
  const code = errorFact(error, 'code');
  if (errorFact(error, 'name') !== 'DynamoTracingError' || typeof code !== 'string') return undefined;
  const sent = code === 'ERR_WORKER_ERROR' || code === 'ERR_GENERATE_FAILED' ? TYPE_OF_WORKER_ERROR[workerErrorName(errorFact(error, 'errorType'))] : undefined;
  const type = sent ?? (Object.hasOwn(TYPE_OF_CODE, code) ? TYPE_OF_CODE[code] : undefined);
  if (type === undefined) return undefined;
  return type === 'validation' ? { ...answer(type, overloadStatus), message: validationText(error) } : answer(type, overloadStatus);
}

/** `InvalidArgument`, `{ Backend: 'InvalidArgument' }` and `backend_invalid_argument` are all `invalid_argument`. */
function workerErrorName(sent: unknown): string {
  const name = typeof sent === 'object' && sent !== null ? errorFact(sent, 'Backend') : sent;
  if (typeof name !== 'string') return '';
  return name.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase().replace(/^backend_/, '');
}

/** A validation error tells the client what was wrong, marked so that its 400 counts as one. */
function validationText(error: unknown): string {
  const message = textOf(error) ?? 'invalid request';
  return message.startsWith('Validation:') ? message : `Validation: ${message}`;
}

/** What body parsers throw, in Dynamo's words; by body-parser's `type` and Fastify's `code`. */
function parserAnswer(error: unknown): ErrorAnswer | undefined {
  const kind = errorFact(error, 'type') ?? errorFact(error, 'code');
  switch (kind) {
    case 'entity.parse.failed': case 'FST_ERR_CTP_INVALID_JSON_BODY': case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return { status: 400, type: 'validation', message: `Failed to deserialize the JSON body into the target type: ${textOf(error) ?? 'invalid JSON'}` };
    case 'entity.too.large': case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return { status: 413, type: 'validation', message: tooLargeText(errorFact(error, 'limit')) };
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return { status: 415, type: 'validation', message: 'Expected request with Content-Type application/json' };
    case 'request.aborted':
      return answer('cancelled', DEFAULT_OVERLOAD_STATUS);
    default:
      return undefined;
  }
}

function tooLargeText(limit: unknown): string {
  return typeof limit === 'number' ? `Request body exceeds the limit of ${limit} bytes` : 'Request body exceeds the limit';
}

const CANCELLED = new Set<unknown>(['AbortError', 'ABORT_ERR', 'APIUserAbortError']);
const TIMED_OUT = new Set<unknown>(['TimeoutError', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT', 'ESOCKETTIMEDOUT', 'APIConnectionTimeoutError']);
const UNREACHABLE = new Set<unknown>(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT', 'APIConnectionError']);
const MAX_CAUSES = 4;

/** Aborts, timeouts and hosts out of reach, also as the cause of what fetch and the SDKs throw: the innermost says most. */
function systemAnswer(error: unknown, overloadStatus: number): ErrorAnswer | undefined {
  for (const cause of causesOf(error).reverse()) {
    const signs = [errorFact(cause, 'code'), errorFact(cause, 'name'), className(cause)];
    if (signs.some((sign) => CANCELLED.has(sign))) return answer('cancelled', overloadStatus);
    if (signs.some((sign) => TIMED_OUT.has(sign))) return answer('response_timeout', overloadStatus);
    if (signs.some((sign) => UNREACHABLE.has(sign))) return answer('unavailable', overloadStatus);
  }
  return undefined;
}

function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  for (let cause = error; cause !== undefined && causes.length < MAX_CAUSES; cause = errorFact(cause, 'cause')) causes.push(cause);
  return causes;
}

/** The OpenAI SDK's errors are told apart by their class alone. */
function className(error: unknown): unknown {
  const made = errorFact(error, 'constructor');
  return typeof made === 'function' ? made.name : undefined;
}

/** An error that names its own status. As Dynamo does: 4xx go out as they are (422 as 400), 5xx without their text. */
function statusAnswer(error: unknown, overloadStatus: number): ErrorAnswer | undefined {
  const given = errorFact(error, 'status') ?? errorFact(error, 'statusCode') ?? (errorFact(error, 'validation') === undefined ? undefined : 400);
  if (typeof given !== 'number' || !Number.isInteger(given) || given < 400 || given > 999) return undefined;
  if (given === 504) return answer('response_timeout', overloadStatus);
  const status = given === 422 ? 400 : given;
  const type = status === 400 ? 'validation' : classifyError(status, undefined, { overloadStatus });
  if (type === 'cancelled' || type === 'unavailable' || status === overloadStatus || status === 529) return answer(type, overloadStatus);
  if (status >= 500) return answer(type, overloadStatus);
  const shown = errorFact(error, 'expose') === false ? undefined : textOf(error);
  return { status, type, message: shown ?? STATUS_CODES[status] ?? 'Bad Request' };
}

const MAX_MESSAGE_LENGTH = 1024;

function textOf(error: unknown): string | undefined {
  const message = errorFact(error, 'message');
  return typeof message === 'string' && message !== '' ? message.slice(0, MAX_MESSAGE_LENGTH) : undefined;
}
