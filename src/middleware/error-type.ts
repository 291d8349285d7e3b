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
  if (status === 400) return message === undefined || message.startsWith('Validation:') || typeOfName(type) === 'validation' ? 'validation' : 'internal';
  return TYPE_OF_STATUS[status] ?? (status > 400 && status < 500 ? 'validation' : 'internal');
}

const TYPE_OF_STATUS: Readonly<Record<number, ErrorType>> = { 404: 'not_found', 501: 'not_implemented', 429: 'overload', 529: 'overload', 503: 'unavailable', 499: 'cancelled' };

/** An error that a body or an event of a stream told of, by the API's own words. */
export interface NamedError {
  readonly type?: string | undefined;
  readonly code?: string | number | undefined;
}

/**
 * The error type of an error that came in the body or stream of an answer with status 200. A code that is an HTTP status (Dynamo,
 * vLLM, OpenRouter) decides; else the name in `code` (OpenAI's Responses), else the one in `type`. What is not known is `internal`.
 */
export function errorTypeOfObserved({ type, code }: NamedError): ErrorType {
  const status = typeof code === 'string' && /^\d{3}$/.test(code) ? Number(code) : code;
  if (typeof status === 'number' && status >= 400 && status < 600) return status === 504 ? 'response_timeout' : classifyError(status);
  return typeOfName(code) ?? typeOfName(type) ?? 'internal';
}

/** Names of errors, in lower case, without signs, digits and the ending `error`: `Bad Request`, `BadRequestError` and `bad_request` are one. */
const NAMES: Readonly<Record<Exclude<ErrorType, 'none'>, readonly string[]>> = {
  validation: [
    'badrequest', 'invalidrequest', 'invalidprompt', 'invalidargument', 'validation', 'value', 'unprocessableentity', 'contextlengthexceeded', 'requesttoolarge', 'contentpolicyviolation',
    'authentication', 'unauthorized', 'invalidapikey', 'permission', 'permissiondenied', 'forbidden', 'billing', 'conflict', 'memorypreconditionfailed', 'memorypathconflict',
    'dataresidencymismatch', 'biopolicy', 'invalidimage', 'invalidimageformat', 'invalidbaseimage', 'invalidimageurl', 'invalidimagemode', 'imagetoolarge', 'imagetoosmall', 'imageparse',
    'imagecontentpolicyviolation', 'imagefiletoolarge', 'unsupportedimagemediatype', 'emptyimagefile', 'failedtodownloadimage', 'imagefilenotfound',
  ],
  not_found: ['notfound', 'modelnotfound'],
  overload: ['overloaded', 'engineoverloaded', 'serverisoverloaded', 'ratelimit', 'ratelimitexceeded', 'toomanyrequests', 'insufficientquota', 'resourceexhausted'],
  unavailable: ['serviceunavailable', 'unavailable'],
  cancelled: ['requestcancelled', 'cancelled', 'clientclosedrequest'],
  response_timeout: ['timeout', 'gatewaytimeout', 'requesttimeout', 'responsetimeout', 'vectorstoretimeout', 'deadlineexceeded'],
  internal: ['api', 'server', 'internal', 'internalserver'],
  not_implemented: ['notimplemented'],
};

const TYPE_OF_NAME: ReadonlyMap<string, ErrorType> = new Map(Object.entries(NAMES).flatMap(([type, names]) => names.map((name) => [name, type as ErrorType])));

function typeOfName(name: string | number | undefined): ErrorType | undefined {
  return typeof name === 'string' ? TYPE_OF_NAME.get(name.toLowerCase().replace(/[^a-z]/g, '').replace(/error$/, '')) : undefined;
}

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
