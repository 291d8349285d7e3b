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
  const { trace_id, span_id, parent_span_id, description, op, origin, data } = Sentry.spanToJSON(span);
  process.send({ span: {
    traceId: trace_id, spanId: span_id, parentId: parent_span_id, name: description, scope: origin, attributes: data,
    kind: op === 'http.server' ? 1 : 0, links: [],
  } });
});
