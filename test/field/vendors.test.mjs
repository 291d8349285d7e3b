import { chat, neighbour } from './support/neighbour.mjs';

/** A caller with Sentry in it: Sentry goes on with this header, not with traceparent. */
const sentryChat = (options) => {
  const call = chat(options);
  return { ...call, send: (url, ids) => call.send(url, { ...ids, 'sentry-trace': `${ids.traceparent.slice(3, 52)}-1` }) };
};
const calls = [sentryChat(), sentryChat({ stream: true })];

for (const [name, env] of [['Sentry 10', { SENTRY: 'sentry10' }], ['Sentry 11 with its OpenTelemetry provider', { SENTRY: '@sentry/node', SENTRY_OTEL: '1' }]]) {
  neighbour(`${name}, Express 5`, { app: 'express-gateway.cjs', telemetry: 'sentry.cjs', env, calls });
  neighbour(`${name}, Fastify`, { app: 'fastify-gateway.cjs', telemetry: 'sentry.cjs', env, calls });
}
// By default Sentry 11 registers nothing with OpenTelemetry: its spans are its own, ours do not exist, the trace is one.
neighbour('Sentry 11 as it comes, Express 5', { app: 'express-gateway.cjs', telemetry: 'sentry.cjs', env: { SENTRY: '@sentry/node' }, calls, server: 'theirs' });

neighbour("Datadog's OpenTelemetry API, Express 5", { app: 'express-gateway.cjs', telemetry: 'datadog.cjs', agent: true });
neighbour("Datadog's OpenTelemetry API, Fastify", { app: 'fastify-gateway.cjs', telemetry: 'datadog.cjs', agent: true });
