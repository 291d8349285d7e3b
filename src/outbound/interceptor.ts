import type { Context } from '@opentelemetry/api';
import { guarded } from '../internal/index.js';
import { errorFields } from '../logging/index.js';
import { activeContext, carrierOf, isTracingSuppressed, runInContext, type HeaderRecord } from '../trace-context/index.js';
import { ClientCall } from './call.js';

/** What of undici's dispatch options is used here. */
interface DispatchOptions {
  readonly origin?: string | URL | undefined;
  readonly path: string;
  readonly method: string;
  readonly headers?: unknown;
}
type Handler = Readonly<Record<string, unknown>>;
type Dispatch = (options: DispatchOptions, handler: Handler) => unknown;

/**
 * An interceptor for undici 6 and 7: `new Agent().compose(traceInterceptor())`. Each request that goes through it is one CLIENT
 * span with its own `traceparent` and the request ids, which replace headers of the same names; the span ends with the response.
 * Requests made where tracing is suppressed pass as they are.
 * @typeParam D the dispatch function of undici
 */
export function traceInterceptor(): <D extends (options: never, handler: never) => unknown>(dispatch: D) => D {
  return <D>(dispatch: D) => ((options: DispatchOptions, handler: Handler) => traced(dispatch as Dispatch, options, handler)) as D;
}

function traced(dispatch: Dispatch, options: DispatchOptions, handler: Handler): unknown {
  const outer = activeContext();
  if (isTracingSuppressed(outer) || options.method === 'CONNECT') return dispatch(options, handler);
  const started = guarded('traceInterceptor', () => begin(options), undefined);
  if (started === undefined) return dispatch(options, handler);
  const { call, headers } = started;
  try {
    return call.run(() => dispatch({ ...options, headers }, watched(handler, call, outer)));
  } catch (error) {
    call.end({ error });
    throw error;
  }
}

function begin({ origin, path, method, headers: given }: DispatchOptions): { call: ClientCall; headers: HeaderRecord } | undefined {
  const headers = recordOf(given);
  const address = `${new URL(String(origin)).origin}${path}`; // not resolved: a path may begin with two slashes
  const call = URL.canParse(address) ? ClientCall.begin(method, new URL(address), carrierOf(headers)) : undefined;
  return call && { call, headers };
}

/** Undici's headers as a record of ours: they come as a record, as a flat list of names and values, or as pairs. */
function recordOf(given: unknown): HeaderRecord {
  if (typeof given !== 'object' || given === null) return {};
  if (!(Symbol.iterator in given)) return { ...(given as HeaderRecord) };
  const record = Object.create(null) as HeaderRecord;
  const list = [...(given as Iterable<unknown>)];
  const pairs = Array.isArray(list[0]) ? (list as [string, HeaderValue][]) : list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1]] as [string, HeaderValue]] : []));
  for (const [name, value] of pairs) record[name] = record[name] === undefined ? value : ([record[name], value ?? []].flat() as string[]);
  return record;
}

type HeaderValue = string | string[] | undefined;

/** What the methods of a handler say about the call: those of undici 6, then those of undici 7. */
const TOLD: Readonly<Record<string, (call: ClientCall, args: readonly unknown[]) => void>> = {
  onHeaders: (call, [status]) => responded(call, status),
  onUpgrade: (call, [status]) => upgraded(call, status),
  onComplete: (call) => call.end(),
  onError: (call, [error]) => failed(call, error),
  onResponseStart: (call, [, status]) => responded(call, status),
  onRequestUpgrade: (call, [, status]) => upgraded(call, status),
  onResponseEnd: (call) => call.end(),
  onResponseError: (call, [, error]) => failed(call, error),
};
const PASSED_ON = ['onConnect', 'onBodySent', 'onRequestSent', 'onResponseStarted', 'onData', 'onRequestStart', 'onResponseData', ...Object.keys(TOLD)];

/** The handler with our eye on it. Its methods run in the caller's context, not in the one that suppresses tracing. */
function watched(handler: Handler, call: ClientCall, outer: Context): Handler {
  const result: Record<string, unknown> = {};
  for (const name of PASSED_ON) {
    const method = handler[name];
    if (typeof method !== 'function') continue;
    result[name] = (...args: unknown[]): unknown => {
      guarded('traceInterceptor', () => TOLD[name]?.(call, args), undefined);
      return runInContext(outer, () => method.apply(handler, args) as unknown);
    };
  }
  return result;
}

/** 1xx answers come before the one that counts. */
function responded(call: ClientCall, status: unknown): void {
  if (typeof status === 'number' && status >= 200) call.responded(status);
}

function upgraded(call: ClientCall, status: unknown): void {
  call.responded(Number(status));
  call.end();
}

function failed(call: ClientCall, error: unknown): void {
  call.end({ error, aborted: errorFields(error)['error_name'] === 'AbortError' });
}
