import { guarded } from '../internal/index.js';
import { errorFields } from '../logging/index.js';
import { carrierOf } from '../trace-context/index.js';
import { onBodyEnd } from './body-end.js';
import { ClientCall } from './call.js';

/**
 * The global `fetch` inside a CLIENT span of its own, which its `traceparent` names; the request ids travel too. These headers
 * replace others of the same names: a gateway that copies inbound headers must not forward the client's. The span ends when the
 * body of the response ends, is cancelled or fails; at once when there is none or the call fails; with the time of the head
 * when nobody begins to read the body within 10 seconds. Arguments, Response and errors are those of fetch.
 */
export async function tracedFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const started = guarded('tracedFetch', () => begin(input, init), undefined);
  if (started === undefined) return fetch(input, init);
  const { call, headers, signal } = started;
  // Called by a stream's event too, which must not be thrown into: the reason of a signal may be anything.
  const failed = (error: unknown): void => guarded('tracedFetch', () => call.end({ error, aborted: isAborted(signal) }), undefined);
  let response: Response;
  try {
    response = await call.run(() => send(input, init, headers));
  } catch (error) {
    failed(error);
    throw error;
  }
  watch(call, response, failed);
  return response;
}

interface Started {
  readonly call: ClientCall;
  readonly headers: Headers;
  readonly signal: AbortSignal | null | undefined;
}

/** Undefined for what fetch itself will refuse, and for URLs that are not HTTP. */
function begin(input: string | URL | Request, init: RequestInit | undefined): Started | undefined {
  const request = isRequest(input) ? input : undefined;
  const address = String(isRequest(input) ? input.url : input);
  const headers = readHeaders(init?.headers ?? request?.headers);
  if (headers === undefined || !URL.canParse(address)) return undefined;
  const signal = init?.signal ?? request?.signal; // read before the span begins: code of others may throw
  const call = ClientCall.begin(init?.method ?? request?.method ?? 'GET', new URL(address), carrierOf(headers));
  return call === undefined ? undefined : { call, headers, signal };
}

function send(input: string | URL | Request, init: RequestInit | undefined, headers: Headers): Promise<Response> {
  // A Request or an object of a class may stand in the place of init too; a spread would lose what its getters say.
  return isPlain(init) ? fetch(input, { ...init, headers }) : fetch(new Request(input, init), { headers });
}

function isPlain(init: unknown): boolean {
  return init === undefined || init === null || [Object.prototype, null].includes(Object.getPrototypeOf(init) as object | null);
}

function watch(call: ClientCall, response: Response, failed: (error: unknown) => void): void {
  const watched = guarded('tracedFetch', () => {
    call.responded(response.status);
    onBodyEnd(response, (error, at) => (error === undefined ? call.end(at === undefined ? {} : { at }) : failed(error)));
    return true;
  }, false);
  if (!watched) call.end();
}

function readHeaders(given: RequestInit['headers']): Headers | undefined {
  try {
    return new Headers(given);
  } catch {
    return undefined;
  }
}

function isRequest(value: unknown): value is Request {
  return typeof value === 'object' && value !== null && 'url' in value && 'clone' in value;
}

/** A timeout is a failure of the call, any other abort is the caller's wish. */
function isAborted(signal: AbortSignal | null | undefined): boolean {
  return signal?.aborted === true && errorFields(signal.reason)['error_name'] !== 'TimeoutError';
}
