import { createContextKey, type Context } from '@opentelemetry/api';

// The key of @opentelemetry/core, in both lines of the SDK: createContextKey is Symbol.for.
const SUPPRESS_TRACING = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');

/** A copy of `ctx` in which SDKs start no span and propagators write no header. */
export function suppressTracing(ctx: Context): Context {
  return ctx.setValue(SUPPRESS_TRACING, true);
}

/** Whether tracing is suppressed in `ctx`, by us or by anyone. */
export function isTracingSuppressed(ctx: Context): boolean {
  return ctx.getValue(SUPPRESS_TRACING) === true;
}
