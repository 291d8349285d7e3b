'use strict';
// SENTRY names the package, SENTRY_OTEL=1 asks version 11 for its OpenTelemetry provider. Nothing is sent anywhere; the test gets each span as it ends.
const Sentry = require(process.env.SENTRY);

const client = Sentry.init({
  dsn: 'https://key@127.0.0.1/1',
  tracesSampleRate: 1,
  ...(process.env.SENTRY_OTEL === '1' ? { enableOpenTelemetrySetup: true } : {}),
  transport: (options) => Sentry.createTransport({ ...options, recordDroppedEvent() {} }, async () => ({ statusCode: 200 })),
});
client.on('spanEnd', (span) => {
  const json = Sentry.spanToJSON(span);
  const attributes = json.data ?? json.attributes ?? {}; // version 10, version 11
  process.send({ span: {
    traceId: json.trace_id, spanId: json.span_id, parentId: json.parent_span_id, name: json.description ?? json.name,
    scope: attributes['sentry.origin'], kind: attributes['sentry.op'] === 'http.server' ? 1 : 0, attributes, links: [],
  } });
});
