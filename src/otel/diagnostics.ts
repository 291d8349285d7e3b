import { diag, DiagLogLevel } from '@opentelemetry/api';
import { EXPORT, registeredWithOtel, reportFault, reportOnce } from '../internal/index.js';

/**
 * Lets the SDK tell on standard error what goes wrong, each thing once: a receiver that is down would otherwise be told of at every export, or
 * never. A logger of the application's own stays, and so does the SDK's, which OTEL_LOG_LEVEL asks for.
 */
export function reportDiagnostics(): void {
  if (registeredWithOtel('diag') !== undefined || (process.env['OTEL_LOG_LEVEL'] ?? '').trim() !== '') return;
  const ignore = (): void => undefined;
  diag.setLogger({ error: report, warn: report, info: ignore, debug: ignore, verbose: ignore }, DiagLogLevel.WARN);
}

function report(message: string): void {
  const failed = exportError(message);
  if (failed !== undefined) return reportFault(EXPORT, failed);
  const [line = ''] = message.split('\n', 1);
  reportOnce(`OpenTelemetry: ${line.replaceAll(/\d+/g, '#')}`, `OpenTelemetry: ${line}`);
}

/** The error of an export, which the SDK's error handler writes as JSON; undefined for any other message. */
function exportError(text: string): string | undefined {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
