/** What went wrong, in records and metrics. Names are Dynamo's. */
export type ErrorType = 'none' | 'validation' | 'not_found' | 'overload' | 'unavailable' | 'cancelled' | 'response_timeout' | 'internal' | 'not_implemented';

/** Status of a refusal at capacity: Dynamo's default for DYN_HTTP_OVERLOAD_STATUS_CODE. */
export const DEFAULT_OVERLOAD_STATUS = 529;

export interface ClassifyOptions {
  /** The `type` of the error in the body: one that names a validation settles a 400 whatever its message. */
  readonly type?: string | undefined;
  /** Default: 529. */
  readonly overloadStatus?: number | undefined;
}

/**
 * The error type of a response with an error status, by Dynamo's rules. A 400 is `validation` when its message begins with
 * `Validation:`, when its body says so in OpenAI's or Anthropic's way, or when nothing of the body is known; else `internal`.
 */
export function classifyError(status: number, message?: string, { type, overloadStatus = DEFAULT_OVERLOAD_STATUS }: ClassifyOptions = {}): ErrorType {
  if (status === overloadStatus) return 'overload';
  if (status === 400) return message === undefined || message.startsWith('Validation:') || VALIDATION_TYPES.has(type) ? 'validation' : 'internal';
  return TYPE_OF_STATUS[status] ?? (status > 400 && status < 500 ? 'validation' : 'internal');
}

const TYPE_OF_STATUS: Readonly<Record<number, ErrorType>> = { 404: 'not_found', 501: 'not_implemented', 429: 'overload', 529: 'overload', 503: 'unavailable', 499: 'cancelled' };
/** OpenAI and Anthropic, vLLM, SGLang. */
const VALIDATION_TYPES: ReadonlySet<string | undefined> = new Set(['invalid_request_error', 'BadRequestError', 'BadRequest']);

const DETAILS: Readonly<Record<ErrorType, string>> = {
  none: 'unknown error',
  validation: 'invalid request parameters',
  not_found: 'model or resource not found',
  overload: 'service overloaded or rate limited',
  unavailable: 'no backend worker available',
  cancelled: 'cancelled before completion',
  response_timeout: 'backend stream inactivity timeout',
  internal: 'internal server error during processing',
  not_implemented: 'requested feature not implemented',
};

/** The text of an error type in records, in Dynamo's words. A type that is not one of ours has the text of `none`. */
export function errorDetail(type: string): string {
  return Object.hasOwn(DETAILS, type) ? DETAILS[type as ErrorType] : DETAILS.none;
}
