import { startTelemetry as start, type Telemetry } from 'dynamo-tracing/otel';

/** Exports over OTLP when OTEL_EXPORT_ENABLED says so, as Dynamo does. Without it ids are still drawn, passed on and logged. */
export function startTelemetry(): Telemetry {
  process.env['OTEL_EXPORT_ENABLED'] ||= '0';
  return start();
}
