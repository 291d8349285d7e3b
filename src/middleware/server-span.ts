import { createContextKey, type Context } from '@opentelemetry/api';

// The key under which OpenTelemetry's HTTP instrumentation keeps what its span still needs; both SDK lines name it so.
const RPC_METADATA = createContextKey('OpenTelemetry SDK Context Key RPC_METADATA');

/** Gives the route to the HTTP server span that is around ours: it becomes its `http.route` and part of its name. */
export function setHttpRoute(ctx: Context, route: string | undefined): void {
  const metadata = ctx.getValue(RPC_METADATA) as { type?: string; route?: string } | undefined;
  if (route !== undefined && metadata?.type === 'http') metadata.route ??= route;
}
