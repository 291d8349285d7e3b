import { STATUS_CODES } from 'node:http';
import { errorFact, failureOf, isDynamoTracingError, STATUS_OF_FAILURE } from '../errors/index.js';
import { classifyError, DEFAULT_OVERLOAD_STATUS, type ClassifyOptions, type ErrorType } from './error-type.js';
import { upstreamStatus } from './upstream-error.js';

/** How a thrown error is answered: `message` is meant for the client and tells nothing of the inside. */
export interface ErrorAnswer {
  readonly status: number;
  readonly type: ErrorType;
  readonly message: string;
}

/**
 * The answer to anything a handler or body parser throws: errors of this package by their code, errors that tell what a server
 * upstream answered by its status (docs/errors.md has the table) and never with its text, what body parsers, fetch and sockets throw,
 * errors with a status of their own (http-errors, Fastify), else 500. An error without a status counts as its cause does. A timeout is
 * 504, which Dynamo, cutting the stream instead, has no status for. Never throws.
 */
export function classifyThrown(error: unknown, { overloadStatus = DEFAULT_OVERLOAD_STATUS }: Pick<ClassifyOptions, 'overloadStatus'> = {}): ErrorAnswer {
  try {
    const causes = givenStatus(error) === undefined ? causesOf(error) : [error];
    // An SDK's error repeats `type` and `code` of a body from upstream: it is looked at before whatever goes by these.
    return firstOf(causes, (cause) => ownAnswer(cause, overloadStatus) ?? upstreamAnswer(cause, overloadStatus)) ?? parserAnswer(error)
      ?? firstOf([...causes].reverse(), (cause) => systemAnswer(cause, overloadStatus)) ?? statusAnswer(error, overloadStatus) ?? answer('internal', overloadStatus);
  } catch {
    return answer('internal', overloadStatus); // A getter of the error threw.
  }
}

function firstOf(causes: readonly unknown[], classify: (cause: unknown) => ErrorAnswer | undefined): ErrorAnswer | undefined {
  for (const cause of causes) {
    const found = classify(cause);
    if (found !== undefined) return found;
  }
  return undefined;
}

const MAX_CAUSES = 4;

/** An error with its causes, the outermost first. The AI SDK keeps the last of several tries elsewhere. */
function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  for (let cause = error; cause !== undefined && causes.length < MAX_CAUSES; cause = errorFact(cause, 'cause') ?? errorFact(cause, 'lastError')) causes.push(cause);
  return causes;
}

function answer(type: ErrorType, overloadStatus: number): ErrorAnswer {
  return { status: type === 'overload' ? overloadStatus : (STATUS_OF_TYPE[type] ?? 500), type, message: MESSAGES[type] ?? 'Internal server error' };
}

const STATUS_OF_TYPE: Readonly<Partial<Record<ErrorType, number>>> = { ...STATUS_OF_FAILURE, not_found: 404, not_implemented: 501 };

/** Client-facing texts, as Dynamo words them. */
const MESSAGES: Readonly<Partial<Record<ErrorType, string>>> = {
  validation: 'Validation: invalid request',
  not_found: 'Not found',
  not_implemented: 'Not implemented',
  overload: 'Service temporarily overloaded',
  unavailable: 'Service temporarily unavailable',
  cancelled: 'Request cancelled',
  response_timeout: 'Request timed out',
};

const BAD_GATEWAY: ErrorAnswer = { status: 502, type: 'internal', message: 'Bad gateway' };

/** An error of this package goes by the table of failures; one that the table calls internal may still have a cause or a status that says more. */
function ownAnswer(error: unknown, overloadStatus: number): ErrorAnswer | undefined {
  const type = isDynamoTracingError(error) ? failureOf(error).recorded : 'internal';
  if (type === 'internal') return undefined;
  return type === 'validation' ? { ...answer(type, overloadStatus), message: validationText(error) } : answer(type, overloadStatus);
}

/** A validation error tells the client what was wrong, marked so that its 400 counts as one. */
function validationText(error: unknown): string {
  const message = textOf(error) ?? 'invalid request';
  return message.startsWith('Validation:') ? message : `Validation: ${message}`;
}

/** Of the gateway's own account: its key is refused or it has not paid, which is no fault of the caller. */
const OF_THE_GATEWAY: ReadonlySet<number> = new Set([401, 402, 403, 407]);

/** What a server upstream answered keeps its class, in our words. A 5xx that says no more is a 502: the fault is not in this process. */
function upstreamAnswer(error: unknown, overloadStatus: number): ErrorAnswer | undefined {
  const given = upstreamStatus(error);
  if (given === undefined) return undefined;
  if (given === 408 || given === 504) return answer('response_timeout', overloadStatus);
  if (!(given >= 400 && given <= 599) || OF_THE_GATEWAY.has(given)) return BAD_GATEWAY;
  const type = given === 422 ? 'validation' : classifyError(given, undefined, { overloadStatus });
  if (given >= 500) return type === 'internal' ? BAD_GATEWAY : answer(type, overloadStatus);
  if (given === 400 || given === 404 || given === 422 || given === 499) return answer(type, overloadStatus);
  return { status: given, type, message: STATUS_CODES[given] ?? 'Request refused' };
}

/** What body parsers throw, in Dynamo's words; by body-parser's `type` and Fastify's `code`. */
function parserAnswer(error: unknown): ErrorAnswer | undefined {
  const type = errorFact(error, 'type');
  switch (typeof type === 'string' && PARSER_TYPES.has(type) ? type : errorFact(error, 'code')) {
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

/** Of body-parser. Other errors have a `type` of their own beside Fastify's `code`. */
const PARSER_TYPES: ReadonlySet<string> = new Set(['entity.parse.failed', 'entity.too.large', 'request.aborted']);

function tooLargeText(limit: unknown): string {
  return typeof limit === 'number' ? `Request body exceeds the limit of ${limit} bytes` : 'Request body exceeds the limit';
}

const CANCELLED = new Set<unknown>(['AbortError', 'ABORT_ERR', 'APIUserAbortError', 'CanceledError']);
const TIMED_OUT = new Set<unknown>([
  'TimeoutError', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT', 'ESOCKETTIMEDOUT', 'ECONNABORTED', 'APIConnectionTimeoutError',
]);
const UNREACHABLE = new Set<unknown>(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT', 'APIConnectionError']);

/** Aborts, timeouts and hosts out of reach, also as the cause of what fetch and the SDKs throw: the innermost says most. */
function systemAnswer(error: unknown, overloadStatus: number): ErrorAnswer | undefined {
  const signs = [errorFact(error, 'code'), errorFact(error, 'name'), className(error)];
  if (signs.some((sign) => CANCELLED.has(sign))) return answer('cancelled', overloadStatus);
  if (signs.some((sign) => TIMED_OUT.has(sign))) return answer('response_timeout', overloadStatus);
  if (signs.some((sign) => UNREACHABLE.has(sign))) return answer('unavailable', overloadStatus);
  return signs.includes('UND_ERR_SOCKET') ? BAD_GATEWAY : undefined; // fetch: the other side closed the connection
}

/** The OpenAI SDK's errors are told apart by their class alone. */
function className(error: unknown): unknown {
  const made = errorFact(error, 'constructor');
  return typeof made === 'function' ? made.name : undefined;
}

/** The status of an error response that an error names. */
function givenStatus(error: unknown): number | undefined {
  const given = errorFact(error, 'status') ?? errorFact(error, 'statusCode') ?? (Array.isArray(errorFact(error, 'validation')) ? 400 : undefined);
  return typeof given === 'number' && Number.isInteger(given) && given >= 400 && given <= 999 ? given : undefined;
}

/** An error that names its own status. As Dynamo does: 4xx go out as they are (422 as 400), 5xx without their text. */
function statusAnswer(error: unknown, overloadStatus: number): ErrorAnswer | undefined {
  const given = givenStatus(error);
  if (given === undefined) return undefined;
  if (given === 502) return BAD_GATEWAY;
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
  if (typeof message !== 'string' || message === '') return undefined;
  return message.slice(0, MAX_MESSAGE_LENGTH).replace(/[\uD800-\uDBFF]$/, ''); // The cut leaves no half of a character.
}
