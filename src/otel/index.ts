export { startTelemetry, type SdkModule, type Telemetry, type TelemetryOptions } from './telemetry.js';
