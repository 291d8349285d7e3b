export { startTelemetry, type SdkModule, type Telemetry, type TelemetryOptions } from './otel/index.js';
