import { DynamoTracingError } from '../errors/index.js';
import { invalidOption, type Environment, type OptionReader } from '../internal/index.js';

/** Upper bounds of histogram buckets by the name of the metric, without its prefix. */
export type Buckets<Name extends string> = Readonly<Record<Name, readonly number[]>>;

/** What Dynamo makes its buckets of: the smallest bound above zero that counts, the largest one, how many there are, and the variable's name. */
const LOG_BUCKETS = {
  request_duration_seconds: ['REQUEST_DURATION', 1, 512, 10],
  input_sequence_tokens: ['INPUT_SEQUENCE', 50, 128_000, 12],
  cached_tokens: ['INPUT_SEQUENCE', 50, 128_000, 12],
  output_sequence_tokens: ['OUTPUT_SEQUENCE', 50, 32_000, 10],
  time_to_first_token_seconds: ['TTFT', 0.001, 480, 18],
  inter_token_latency_seconds: ['ITL', 0.001, 2, 13],
  embedding_latency_seconds: ['EMBEDDING_LATENCY', 0.001, 10, 14],
} as const satisfies Readonly<Record<string, readonly [string, number, number, number]>>;

const SYSTEM_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Histograms of the front end. */
export type FrontendBucketName = keyof typeof LOG_BUCKETS | 'system_request_duration_seconds';

/**
 * The buckets of Dynamo's frontend, by its variables where they are set.
 * @throws ERR_ENV_INVALID
 */
export function frontendBuckets(env: Environment): Buckets<FrontendBucketName> {
  const found: Partial<Record<FrontendBucketName, readonly number[]>> = { system_request_duration_seconds: SYSTEM_BUCKETS };
  for (const [name, [variable, min, max, count]] of Object.entries(LOG_BUCKETS)) found[name as FrontendBucketName] = bucketsOf(env, `DYN_METRICS_${variable}`, min, max, count);
  return found as Buckets<FrontendBucketName>;
}

/** Histograms of the worker. */
export const WORKER_BUCKETS = {
  component_request_duration_seconds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600],
  work_handler_network_transit_seconds: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1],
  work_handler_time_to_first_response_seconds: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  work_handler_permit_wait_seconds: [0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60],
} as const;
/** Histograms of the worker, by name. */
export type WorkerBucketName = keyof typeof WORKER_BUCKETS;

const MAX_BUCKETS = 512;

/** Reads buckets in the place of the defaults: rising finite numbers for metrics that are histograms. */
export function bucketsOption<Name extends string>(names: readonly Name[]): OptionReader<Partial<Buckets<Name>>> {
  return (value, path) => {
    if (value === undefined) return {};
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidOption(path, 'an object', value);
    for (const [name, bounds] of Object.entries(value)) {
      if (!names.some((known) => known === name)) throw invalidOption(`${path}.${name}`, `one of ${names.join(', ')}`, name);
      if (!areBounds(bounds)) throw invalidOption(`${path}.${name}`, `1 to ${MAX_BUCKETS} rising numbers`, bounds);
    }
    return value;
  };
}

function areBounds(bounds: unknown): boolean {
  return Array.isArray(bounds) && bounds.length > 0 && bounds.length <= MAX_BUCKETS && bounds.every((bound: unknown, i) => Number.isFinite(bound) && (i === 0 || (bound as number) > (bounds[i - 1] as number)));
}

/** Dynamo's bounds: zero, then `count - 1` at equal distances of their logarithms, rounded to two digits; equal ones are one. */
function bucketsOf(env: Environment, prefix: string, ...[min, max, count]: readonly [number, number, number]): readonly number[] {
  const [least, most, amount] = [setting(env, `${prefix}_MIN`, min), setting(env, `${prefix}_MAX`, max), setting(env, `${prefix}_COUNT`, count)];
  if (least >= most) throw invalidSetting(`${prefix}_MIN`, `less than ${prefix}_MAX (${most})`, String(least));
  if (!Number.isInteger(amount) || amount > MAX_BUCKETS) throw invalidSetting(`${prefix}_COUNT`, `an integer from 1 to ${MAX_BUCKETS}`, String(amount));
  const steps = Array.from({ length: amount - 1 }, (_, i) => Number((least * (most / least) ** ((i + 1) / (amount - 1))).toPrecision(2)));
  return [...new Set([0, ...steps])];
}

/** A number above zero. The variable's older name, which Dynamo still reads, counts where the newer one is not set. */
function setting(env: Environment, name: string, fallback: number): number {
  const [variable, text] = [name, `DYN_HISTOGRAM_${name}`].map((each) => [each, env[each]?.trim() ?? ''] as const).find(([, given]) => given !== '') ?? [name, ''];
  if (text === '') return fallback;
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw invalidSetting(variable, 'a number above 0', text);
  return value;
}

function invalidSetting(variable: string, wanted: string, got: string): DynamoTracingError {
  return new DynamoTracingError('ERR_ENV_INVALID', `${variable} must be ${wanted}, got ${JSON.stringify(got.slice(0, 64))}`, { variable });
}
