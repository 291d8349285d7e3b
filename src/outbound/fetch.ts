import { guarded } from '../internal/index.js';
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
  const failed = (error: unknown): void => call.end({ error, aborted: isAborted(signal) });
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
  const call = ClientCall.begin(init?.method ?? request?.method ?? 'GET', new URL(address), carrierOf(headers));
  return call === undefined ? undefined : { call, headers, signal: init?.signal ?? request?.signal };
}

function send(input: string | URL | Request, init: RequestInit | undefined, headers: Headers): Promise<Response> {
  // A Request may stand in the place of init too; a spread would lose all that it says.
  return init !== undefined && isRequest(init) ? fetch(new Request(input, init), { headers }) : fetch(input, { ...init, headers });
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
  return signal?.aborted === true && (signal.reason as { name?: unknown } | undefined)?.name !== 'TimeoutError';
}
