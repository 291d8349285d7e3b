import { errorFact } from '../errors/index.js';

/**
 * The status of the HTTP answer that an error tells of, when it was made by a client from what a server upstream said: `undefined`
 * for any other error, 0 when the answer had no status of an error. Classes are no sign: two copies may be loaded, bundlers rename
 * them, and many an app has an `APIError` of its own. What counts is that the error holds parts of an answer.
 */
export function upstreamStatus(error: unknown): number | undefined {
  const response = [errorFact(error, 'response'), errorFact(error, 'rawResponse')].find(isAnswer);
  if (response !== undefined) return statusOf(response) ?? 0;
  if (!SIGNS.some((isSign) => isSign(error))) return undefined;
  return statusOf(error) ?? statusOfEvent(error) ?? 0;
}

/** An answer as axios, got, ky, superagent and most SDKs keep it. A response of NestJS's own exceptions has no headers. */
function isAnswer(value: unknown): boolean {
  return isObject(errorFact(value, 'headers')) && statusOf(value) !== undefined;
}

const SIGNS: readonly ((error: unknown) => boolean)[] = [
  // Fetch's Headers: the openai and Anthropic SDKs and their kin, a Response that was thrown. Those of http-errors are a plain object.
  (error) => typeof errorFact(errorFact(error, 'headers'), 'get') === 'function',
  // The same SDKs without headers. Their errors of the connection have neither a status nor a body.
  (error) => has(error, 'requestID') && (statusOf(error) !== undefined || isObject(errorFact(error, 'error'))),
  // Older ones, with a plain object of headers.
  (error) => isObject(errorFact(error, 'headers')) && isObject(errorFact(error, 'error')) && statusOf(error) !== undefined,
  (error) => errorFact(error, 'isAxiosError') === true && statusOf(error) !== undefined,
  // AI SDK, undici, AWS.
  (error) => has(error, 'responseBody') && statusOf(error) !== undefined,
  (error) => textOf(error, 'code').startsWith('UND_ERR_RESPONSE'),
  (error) => typeof errorFact(errorFact(error, '$metadata'), 'httpStatusCode') === 'number',
  // Google's keeps nothing but the status: its message is the answer's body.
  (error) => /^(?:got status: [^{]*)?\{"error":/.test(textOf(error, 'message')) && statusOf(error) !== undefined,
];

function statusOf(value: unknown): number | undefined {
  const found = [errorFact(value, 'status'), errorFact(value, 'statusCode'), errorFact(errorFact(value, '$metadata'), 'httpStatusCode')];
  return found.find((status): status is number => typeof status === 'number');
}

/** An error event inside a stream has no status: OpenAI's may have one as `code` (Dynamo, vLLM), Anthropic's has a type. */
function statusOfEvent(error: unknown): number | undefined {
  const code = errorFact(error, 'code');
  if (typeof code === 'number') return code;
  const type = errorFact(error, 'type');
  return typeof type === 'string' && Object.hasOwn(STATUS_OF_TYPE, type) ? STATUS_OF_TYPE[type] : undefined;
}

const STATUS_OF_TYPE: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  not_found_error: 404,
  rate_limit_error: 429,
  service_unavailable_error: 503,
  timeout_error: 504,
  overloaded_error: 529,
};

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Whatever was thrown: a value that is no text may have no form as one. */
function textOf(error: unknown, name: string): string {
  const value = errorFact(error, name);
  return typeof value === 'string' ? value : '';
}

function has(error: unknown, name: string): boolean {
  return isObject(error) && name in error;
}
