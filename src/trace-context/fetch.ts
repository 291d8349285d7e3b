import type { Context } from '@opentelemetry/api';
import { activeContext, bindToContext, runInContext } from './context.js';
import { traceHeaders } from './propagation.js';

/**
 * The global `fetch` with the current trace headers. They replace headers of the same names: a gateway that copies inbound
 * headers must not forward the client's `traceparent` in place of its own span's, nor a `tracestate` of another trace.
 */
export async function tracedFetch(input: string | URL | Request, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers ?? (input instanceof Request ? input.headers : undefined));
  const traced = traceHeaders();
  if (traced.traceparent !== undefined) headers.delete('tracestate');
  for (const [name, value] of Object.entries(traced)) headers.set(name, value);
  return fetch(input, { ...init, headers });
}

/** A function that runs `fn` in the context that is current now: for timers, queues and other detached work. */
export function bindTrace<A extends unknown[], R>(fn: (...args: A) => R, ctx: Context = activeContext()): (...args: A) => R {
  return bindToContext(ctx, fn);
}

/** Runs `fn` with `ctx` as the current context. */
export function runWithTrace<T>(ctx: Context, fn: () => T): T {
  return runInContext(ctx, fn);
}
