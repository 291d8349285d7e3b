import { invalidOption } from '../internal/index.js';
import { DIALECTS, type Api, type DialectName } from './dialects/index.js';

/** Whose error shape: an API, or the API of a dialect. */
export type ErrorShape = Api | DialectName;
type AnthropicShape = Extract<ErrorShape, `anthropic${string}`>;
type OpenAIShape = Exclude<ErrorShape, AnthropicShape>;

/** OpenAI's error shape. */
export interface OpenAIErrorBody {
  readonly error: { readonly message: string; readonly type: string; readonly param: null; readonly code: number };
}

/** Anthropic's error shape. */
export interface AnthropicErrorBody {
  readonly type: 'error';
  readonly error: { readonly type: string; readonly message: string };
  readonly request_id?: string;
}

export type ErrorBody = OpenAIErrorBody | AnthropicErrorBody;

/**
 * The body of an error in the shape of an API, which is named itself or by a dialect (`openai`, `openai-chat`, `anthropic-messages`).
 *
 * OpenAI's is nested under `error`, as in OpenAI's API, vLLM and Dynamo's own streams, although Dynamo's bodies before the stream
 * are flat: the official SDK reads nothing but `error` and shows a flat body as `404 status code (no body)`. `code` is the status as a
 * number, as Dynamo and vLLM have it. Anthropic's carries `request_id`, as Anthropic's API does, when it is given.
 * @throws ERR_OPTION_INVALID for a name that is neither an API nor a dialect
 */
export function errorBody(shape: OpenAIShape, status: number, message: string, requestId?: string): OpenAIErrorBody;
export function errorBody(shape: AnthropicShape, status: number, message: string, requestId?: string): AnthropicErrorBody;
export function errorBody(shape: ErrorShape, status: number, message: string, requestId?: string): ErrorBody;
export function errorBody(shape: ErrorShape, status: number, message: string, requestId?: string): ErrorBody {
  if (apiOf(shape, 'errorBody') === 'openai') return { error: { message, type: openaiType(status), param: null, code: status } };
  const error = { type: anthropicType(status), message };
  return requestId === undefined ? { type: 'error', error } : { type: 'error', error, request_id: requestId };
}

/**
 * The last events of a stream that fails after its head has gone out, ready to be written: for OpenAI the error and `[DONE]`, as
 * Dynamo ends such a stream; for Anthropic an `error` event. Both official SDKs throw when they read it. It begins with a blank
 * line: the stream may have been cut inside an event, and readers of event streams pass over a blank line between events.
 * @throws ERR_OPTION_INVALID for a name that is neither an API nor a dialect
 */
export function streamErrorEvent(shape: ErrorShape, status: number, message: string, requestId?: string): string {
  const api = apiOf(shape, 'streamErrorEvent');
  const data = `data: ${JSON.stringify(errorBody(api, status, message, requestId))}\n\n`;
  return api === 'openai' ? `\n\n${data}data: [DONE]\n\n` : `\n\nevent: error\n${data}`;
}

const APIS: ReadonlySet<string> = new Set<Api>(['openai', 'anthropic']);

function apiOf(shape: ErrorShape, owner: string): Api {
  if (APIS.has(shape)) return shape as Api;
  if (typeof shape === 'string' && Object.hasOwn(DIALECTS, shape)) return DIALECTS[shape as DialectName].api;
  throw invalidOption(`${owner}.dialect`, `one of ${[...APIS, ...Object.keys(DIALECTS)].map((name) => `'${name}'`).join(', ')}`, shape);
}

const OPENAI_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  499: 'request_cancelled',
  501: 'not_implemented_error',
  503: 'service_unavailable_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

function openaiType(status: number): string {
  return OPENAI_TYPES[status] ?? (status >= 400 && status < 500 ? 'invalid_request_error' : 'internal_server_error');
}

const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  499: 'request_cancelled',
  503: 'overloaded_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

function anthropicType(status: number): string {
  return ANTHROPIC_TYPES[status] ?? (status >= 400 && status < 500 ? 'invalid_request_error' : 'api_error');
}
