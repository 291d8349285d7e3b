import type { Context } from '@opentelemetry/api';
import { activeContext, bindToContext } from './context.js';

/** A function that runs `fn` in the context that is current now: for timers, queues and other detached work. */
export function bindTrace<A extends unknown[], R>(fn: (...args: A) => R, ctx: Context = activeContext()): (...args: A) => R {
  return bindToContext(ctx, fn);
}
