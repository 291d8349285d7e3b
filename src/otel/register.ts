// `node --import dynamo-tracing/otel/register`, or `--require`: starts telemetry before the app.
import { isDynamoTracingError } from '../errors/index.js';
import { reportOnce } from '../internal/index.js';
import { startTelemetry } from './telemetry.js';

try {
  startTelemetry();
} catch (error) {
  // The app runs without.
  if (!isDynamoTracingError(error)) throw error;
  reportOnce('register', error.message);
}
