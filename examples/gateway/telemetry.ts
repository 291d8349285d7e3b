import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

/**
 * Exports spans over OTLP/HTTP when OTEL_EXPORT_ENABLED is set, as Dynamo does; the exporter reads OTEL_EXPORTER_OTLP_* itself.
 * Gives what flushes and ends the export. Without it ids are still drawn, passed on and logged.
 */
export function startTelemetry(env: Readonly<Record<string, string | undefined>> = process.env): () => Promise<void> {
  if (!/^(1|true|on|yes)$/i.test(env['OTEL_EXPORT_ENABLED']?.trim() ?? '')) return () => Promise.resolve();
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': env['OTEL_SERVICE_NAME'] ?? 'dynamo' }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return () => provider.shutdown();
}
