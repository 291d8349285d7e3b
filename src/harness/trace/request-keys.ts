import { carrierOf, isRequestId, parseTraceparent, TRACE_HEADERS, type CarrierTarget, type Traceparent } from '../../trace-context/index.js';
import { isObject } from '../../protocol/index.js';
import { invalidOption } from '../../internal/index.js';

/** Trace headers by name, as one side of a hop had them; those without a value are absent. */
export type HopHeaders = Readonly<Partial<Record<string, string>>>;

/**
 * What `harness.trace()` and the matchers take for a request: a response (supertest, fetch, Fastify's inject, node:http), a
 * trace of the harness, or text: a request id, an `x-request-id`, a trace id, a `traceparent`.
 */
export type TraceSubject = string | { readonly headers: CarrierTarget | object } | { readonly traceId: string };

/** Headers that the audit follows: trace context and ids. */
export const AUDITED_HEADERS: readonly string[] = TRACE_HEADERS;

/** What a subject says about its request. */
export interface RequestKeys {
  readonly traceId?: string | undefined;
  /** Text that may be a request id or an `x-request-id`. */
  readonly id?: string | undefined;
  /** Headers of the response. */
  readonly answered?: HopHeaders | undefined;
  /** Headers of the request as the client sent them. */
  readonly sent?: HopHeaders | undefined;
  /** The ClientRequest behind a response. */
  readonly clientRequest?: object | undefined;
  /** The fetch Response itself. */
  readonly response?: object | undefined;
}

/** Reads what is known of a request. @throws ERR_OPTION_INVALID for something that is none of the subjects */
export function keysOf(subject: TraceSubject): RequestKeys {
  if (typeof subject === 'string') return textKeys(subject.trim());
  const given: unknown = subject;
  if (isObject(given)) {
    const { traceId, requestId, headers } = given;
    if (typeof traceId === 'string') return { traceId, id: typeof requestId === 'string' ? requestId : undefined };
    if (typeof headers === 'object' && headers !== null) return responseKeys(given as unknown as ResponseLike);
  }
  throw invalidOption('trace(subject)', 'a response, a request id, a trace id or a trace', given);
}

function textKeys(text: string): RequestKeys {
  const parent = parseTraceparent(text);
  if (parent !== undefined) return { traceId: parent.traceId };
  return /^[0-9a-f]{32}$/.test(text) ? { traceId: text, id: text } : { id: text };
}

interface ResponseLike {
  readonly headers: CarrierTarget;
  /** supertest and node:http: the ClientRequest. */
  readonly req?: { getHeaders?(): object; readonly headers?: object };
  /** Fastify's inject. */
  readonly raw?: { readonly req?: { readonly headers?: object } };
}

function responseKeys(response: ResponseLike): RequestKeys {
  const request = response.req;
  const sentBy = typeof request?.getHeaders === 'function' ? request.getHeaders() : (request?.headers ?? response.raw?.req?.headers);
  return { answered: hopHeaders(response.headers), sent: sentBy === undefined ? undefined : hopHeaders(sentBy as CarrierTarget), clientRequest: request, response };
}

/** The audited headers that a carrier holds; several values of one are joined as HTTP does. */
export function hopHeaders(headers: CarrierTarget): HopHeaders {
  const carrier = carrierOf(headers);
  const found: Record<string, string> = {};
  for (const name of AUDITED_HEADERS) {
    const value = carrier.get(name);
    if (value !== undefined) found[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return found;
}

/** The trace that a hop's headers continue. */
export function traceOf(headers: HopHeaders | undefined): Traceparent | undefined {
  const text = headers?.['traceparent'];
  return text === undefined ? undefined : parseTraceparent(text);
}

/** The ids that headers name, the canonical one first. */
export function idsOf(headers: HopHeaders | undefined): string[] {
  return [headers?.['request-id'], headers?.['x-request-id']].filter((id) => id !== undefined);
}

/** Whether `id` is the id of this request or of a part of it: Dynamo names the parts of a batch `<id>-0`, `<id>-1`. */
export function isIdOrPart(id: string, whole: string): boolean {
  return id === whole || (id.startsWith(`${whole}-`) && /^\d+$/.test(id.slice(whole.length + 1)));
}

/** Whether text is a canonical request id. */
export function isCanonical(id: string | undefined): id is string {
  return id !== undefined && isRequestId(id);
}
