import { isTruthy, type Environment } from '../internal/index.js';

/** What Dynamo's variables mean to the SDK, which reads OpenTelemetry's. */
export interface SdkVariables {
  /** To be set while the SDK reads its own. */
  readonly variables: Readonly<Record<string, string>>;
  /** What cannot be used and has been left out, a sentence each. */
  readonly faults: readonly string[];
}

const SIGNALS = ['TRACES', 'LOGS', 'METRICS'] as const;
/** What the SDK speaks. `http/json` is not among Dynamo's. */
const PROTOCOLS = ['grpc', 'http/protobuf', 'http/json'];
const DEFAULT_PROTOCOL = 'grpc';
const DEFAULT_SERVICE = 'dynamo';

/** Whether telemetry is wanted: it is asked for where it is started, so only OTEL_EXPORT_ENABLED and OTEL_SDK_DISABLED can say no. */
export function isExportEnabled(env: Environment): boolean {
  const wish = textOf(env, 'OTEL_EXPORT_ENABLED');
  return (wish === undefined || isTruthy(wish)) && textOf(env, 'OTEL_SDK_DISABLED')?.toLowerCase() !== 'true';
}

export function sdkVariables(env: Environment): SdkVariables {
  const faults: string[] = [];
  const variables = { ...protocols(env, faults), ...unwantedSignals(env), ...service(env), ...sampler(env, faults) };
  return { variables, faults };
}

/** Dynamo speaks gRPC where nothing else is said; the SDK HTTP. */
function protocols(env: Environment, faults: string[]): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const variable of ['OTEL_EXPORTER_OTLP_PROTOCOL', ...SIGNALS.map((signal) => `OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`)]) {
    const given = textOf(env, variable)?.toLowerCase();
    if (given === undefined) continue;
    variables[variable] = PROTOCOLS.includes(given) ? given : DEFAULT_PROTOCOL;
    if (!PROTOCOLS.includes(given)) faults.push(`${variable} must be one of ${PROTOCOLS.join(', ')}, got ${quoted(given)}: ${DEFAULT_PROTOCOL} is used`);
  }
  return { OTEL_EXPORTER_OTLP_PROTOCOL: DEFAULT_PROTOCOL, ...variables };
}

/** Where only some signals have an address, the others are not sent to the default one, where nobody listens. */
function unwantedSignals(env: Environment): Record<string, string> {
  const has = (variable: string): boolean => textOf(env, variable) !== undefined;
  const addressed = SIGNALS.filter((signal) => has(`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`));
  if (addressed.length === 0 || has('OTEL_EXPORTER_OTLP_ENDPOINT')) return {};
  return Object.fromEntries(SIGNALS.filter((signal) => !addressed.includes(signal) && !has(`OTEL_${signal}_EXPORTER`)).map((signal) => [`OTEL_${signal}_EXPORTER`, 'none']));
}

function service(env: Environment): Record<string, string> {
  const isNamed = textOf(env, 'OTEL_SERVICE_NAME') !== undefined || /(^|,)\s*service\.name\s*=/.test(env['OTEL_RESOURCE_ATTRIBUTES'] ?? '');
  return isNamed ? {} : { OTEL_SERVICE_NAME: DEFAULT_SERVICE };
}

function sampler(env: Environment, faults: string[]): Record<string, string> {
  const text = textOf(env, 'OTEL_TRACES_SAMPLE_RATIO');
  if (text === undefined) return {};
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: String(ratio) };
  faults.push(`OTEL_TRACES_SAMPLE_RATIO must be a number from 0 to 1, got ${quoted(text)}: it is not used`);
  return {};
}

/** Blank is unset, as OpenTelemetry has it. */
function textOf(env: Environment, variable: string): string | undefined {
  const text = env[variable]?.trim();
  return text === '' ? undefined : text;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
