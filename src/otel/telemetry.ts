import * as api from '@opentelemetry/api';
import { DynamoTracingError, isDynamoTracingError } from '../errors/index.js';
import { EXPORT, findPackage, flushOtel, numberOption, optionalOption, readOptions, registeredWithOtel, reportFault, reportOnce, within } from '../internal/index.js';
import { reportDiagnostics } from './diagnostics.js';
import { ProcessEnd } from './process-end.js';
import { isExportEnabled, sdkVariables } from './variables.js';

/** The @opentelemetry/sdk-node module, as far as it is used here: of both lines of OpenTelemetry. */
export interface SdkModule {
  readonly NodeSDK: new (configuration: Readonly<Record<string, unknown>>) => { start(): void; shutdown(): Promise<void> };
}

/** Options of `startTelemetry`. */
export interface TelemetryOptions {
  /** Instrumentations for the SDK, as `[new HttpInstrumentation()]`. Default: none; the requests of `dynamoTracing()` and the calls of `tracedFetch` have spans without. */
  readonly instrumentations?: readonly unknown[] | undefined;
  /** Milliseconds that `flush()`, `shutdown()` and a signal that ends the process wait for exports. Default: 5,000. */
  readonly flushTimeoutMs?: number | undefined;
  /** The @opentelemetry/sdk-node module, where it cannot be found at run time, as in a bundle. Default: the one that is installed. */
  readonly sdk?: SdkModule | undefined;
}

/** Telemetry that was started, or left to the set-up that was there before. */
export interface Telemetry {
  /** Whether an SDK was started here. It is not where export is disabled or another set-up exists. */
  readonly started: boolean;
  /** Exports what has ended, within `flushTimeoutMs`. Never rejects. */
  flush(): Promise<void>;
  /** Exports what has ended and stops, within `flushTimeoutMs`: for `await` before `process.exit()`. Never rejects. A set-up of others is flushed only. */
  shutdown(): Promise<void>;
}

type Settings = ReturnType<typeof readTelemetryOptions>;

const SDK = '@opentelemetry/sdk-node';
const MAX_TIMER_MS = 2 ** 31 - 1;
const PLACE = 'startTelemetry';

const readTelemetryOptions = (options: unknown) => readOptions(PLACE, {
  instrumentations: optionalOption<readonly unknown[]>('an array of instrumentations', Array.isArray),
  flushTimeoutMs: numberOption(5000, { max: MAX_TIMER_MS }),
  sdk: optionalOption<SdkModule>(`the module ${SDK}`, (value) => typeof (value as Partial<SdkModule> | null)?.NodeSDK === 'function'),
}, options);

let running: Telemetry | undefined;

/**
 * Starts OpenTelemetry's SDK for traces, log records and metrics over OTLP, from Dynamo's and OpenTelemetry's variables (docs/telemetry.md). Exports
 * what is left when the process ends by itself, by SIGTERM or by SIGINT. Does nothing where OTEL_EXPORT_ENABLED is set to anything but 1, true, on
 * or yes; where a set-up exists it is left as it is, which is said once. A second call returns what the first returned.
 * @throws ERR_OPTION_INVALID; ERR_DEPENDENCY_MISSING when @opentelemetry/sdk-node is not installed
 */
export function startTelemetry(options?: TelemetryOptions): Telemetry {
  const settings = readTelemetryOptions(options);
  if (running?.started === true && options !== undefined) reportOnce('options', 'startTelemetry has been called before: its options are those of the first call');
  running ??= isExportEnabled(process.env) ? begin(settings) : notOurs(settings);
  return running;
}

function begin(settings: Settings): Telemetry {
  if (registeredWithOtel('trace') !== undefined) {
    reportOnce(PLACE, 'OpenTelemetry is set up already: startTelemetry leaves it as it is');
    return notOurs(settings);
  }
  try {
    const found = settings.sdk ?? (findPackage([SDK]) as SdkModule | undefined);
    if (found === undefined) throw missing();
    reportDiagnostics();
    const sdk = startSdk(found.NodeSDK, settings);
    adviseOnCopies();
    return ours(sdk, settings);
  } catch (error) {
    if (isDynamoTracingError(error, 'ERR_DEPENDENCY_MISSING')) throw error;
    // What is wrong with a deployment must not keep its app from starting.
    reportFault(PLACE, error);
    return notOurs(settings);
  }
}

function startSdk(NodeSDK: SdkModule['NodeSDK'], { instrumentations }: Settings): { shutdown(): Promise<void> } {
  const { variables, faults } = sdkVariables(process.env);
  for (const fault of faults) reportOnce(fault, fault);
  return withVariables(variables, () => {
    const sdk = new NodeSDK({
      ...(instrumentations === undefined ? {} : { instrumentations: [...instrumentations] }),
      ...(registeredWithOtel('context') === undefined ? {} : { contextManager: null }),
      // The SDK warns of `none` as if nothing at all were started.
      ...(process.env['OTEL_TRACES_EXPORTER']?.trim() === 'none' ? { spanProcessors: [] } : {}),
    });
    sdk.start();
    return sdk;
  });
}

/** The SDK reads its variables when it is made and started. After that they are as they were, for the processes that this one starts. */
function withVariables<T>(variables: Readonly<Record<string, string>>, fn: () => T): T {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, variables);
  try {
    return fn();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

function ours(sdk: { shutdown(): Promise<void> }, { flushTimeoutMs }: Settings): Telemetry {
  const flush = (): Promise<void> => flushOtel(flushTimeoutMs);
  // Waits for exports that are under way too, which a flush does not.
  const end = async (): Promise<void> => {
    await within(flushTimeoutMs, Promise.resolve().then(() => sdk.shutdown()).catch((error: unknown) => reportFault(EXPORT, error)));
  };
  const atEnd = new ProcessEnd({ flush, end });
  let ended: Promise<void> | undefined;
  return Object.freeze({
    started: true,
    flush,
    shutdown: () => {
      atEnd.stop();
      return (ended ??= end());
    },
  });
}

function notOurs({ flushTimeoutMs }: Settings): Telemetry {
  const flush = (): Promise<void> => flushOtel(flushTimeoutMs);
  return Object.freeze({ started: false, flush, shutdown: flush });
}

function missing(): DynamoTracingError {
  const line = 'logs' in api ? SDK : `${SDK}@^0.223`; // 3.x or 2.x: the API has logs from 1.10 on
  return new DynamoTracingError('ERR_DEPENDENCY_MISSING', `Nothing is exported: OpenTelemetry's SDK is not installed: npm install ${line}`, { package: SDK });
}

/** What one version of the API has registered, another one does not take. */
function adviseOnCopies(): void {
  const registered = registeredWithOtel('trace');
  if (registered === undefined || registered === api.trace.getTracerProvider()) return;
  reportOnce('copies', 'The SDK uses another version of @opentelemetry/api than this package, so spans are lost: npm ls @opentelemetry/api');
}
