import { errorFact, isDynamoTracingError } from '../../errors/index.js';
import { DYNAMO_ERROR_NAMES, sentTypeOf, type DynamoError, type DynamoErrorName } from '../../protocol/index.js';

/** Errors of Node and of the web platform, by code or name, as Dynamo maps Python's. */
const OF_SYSTEM: Readonly<Record<string, DynamoErrorName>> = {
  ECONNREFUSED: 'backend_cannot_connect',
  ENOTFOUND: 'backend_cannot_connect',
  EHOSTUNREACH: 'backend_cannot_connect',
  ECONNRESET: 'backend_disconnected',
  EPIPE: 'backend_disconnected',
  ETIMEDOUT: 'backend_connection_timeout',
  TimeoutError: 'backend_connection_timeout',
  AbortError: 'backend_cancelled',
};

/**
 * What a handler threw, as Dynamo's peers read it (facts 3.5). An error with an `errorType` of Dynamo keeps it; one with an
 * HTTP status goes as `{"message","code"}`, a 4xx as an invalid argument; anything else is `backend_unknown` with its name.
 */
export function toDynamoError(error: unknown): DynamoError {
  const message = textOf(error);
  const named = DYNAMO_ERROR_NAMES.find((name) => name === errorFact(error, 'errorType'));
  if (named !== undefined) return { errorType: named, message };
  const status = statusOf(error);
  if (status !== undefined) return { errorType: status >= 400 && status < 500 ? 'backend_invalid_argument' : 'backend_unknown', message: JSON.stringify({ message, code: status }) };
  const known = isDynamoTracingError(error) ? sentTypeOf(error.code) : systemType(error);
  if (known !== undefined) return { errorType: known, message };
  const name = error instanceof Error ? error.name : 'Error';
  return { errorType: 'backend_unknown', message: `${name}: ${message}` };
}

function systemType(error: unknown): DynamoErrorName | undefined {
  for (const fact of [errorFact(error, 'code'), errorFact(error, 'name')]) {
    if (typeof fact === 'string' && Object.hasOwn(OF_SYSTEM, fact)) return OF_SYSTEM[fact];
  }
  return undefined;
}

function statusOf(error: unknown): number | undefined {
  return [errorFact(error, 'status'), errorFact(error, 'statusCode'), errorFact(error, 'code')].find((fact): fact is number => typeof fact === 'number' && fact >= 100 && fact < 600);
}

function textOf(error: unknown): string {
  const message = errorFact(error, 'message');
  return typeof message === 'string' ? message : String(error);
}
