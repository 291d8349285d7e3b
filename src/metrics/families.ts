import { guarded } from '../internal/index.js';
import type { FrontendBucketName, WorkerBucketName } from './buckets.js';
import type { Labels, MetricsRegistry, PromClient, PromCounter, PromGauge, PromHistogram } from './prom-client.js';

/** A metric: docs/metrics.md is held equal to these. */
export interface Family {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** It has the labels of the application too. */
  readonly own?: boolean;
  /** It shows exemplars, where they are asked for. */
  readonly exemplars?: boolean;
  /** How prom-client puts the values of several processes together. Default: their sum. */
  readonly aggregator?: 'max';
}

const MODEL = ['model'];
const histogram = (help: string, labels: readonly string[] = MODEL): Family => ({ type: 'histogram', help, labels, own: labels === MODEL, exemplars: true });

/** The metrics of the front end, by their names without the prefix. */
export const FRONTEND = {
  requests_total: { type: 'counter', help: 'Inference requests that have ended', labels: ['model', 'endpoint', 'request_type', 'status', 'error_type'], own: true, exemplars: true },
  requests_started_total: { type: 'counter', help: 'Inference requests received', labels: ['model', 'endpoint', 'request_type'] },
  inflight_requests: { type: 'gauge', help: 'Inference requests received and not ended', labels: MODEL },
  active_requests: { type: 'gauge', help: 'The same as inflight_requests, by its newer name', labels: MODEL },
  disconnected_clients: { type: 'gauge', help: 'Inference requests that their clients left, since the start', labels: [] },
  request_duration_seconds: histogram('Seconds from arrival to end'),
  input_sequence_tokens: histogram('Input tokens of a request'),
  cached_tokens: histogram('Cached input tokens of a request'),
  output_sequence_tokens: histogram('Output tokens of a request'),
  output_tokens_total: { type: 'counter', help: 'Output tokens', labels: MODEL, own: true },
  time_to_first_token_seconds: histogram('Seconds to the first token'),
  inter_token_latency_seconds: histogram('Mean seconds between tokens of a request'),
  embedding_latency_seconds: histogram('Seconds of a successful embeddings request'),
  model_cancellation_total: { type: 'counter', help: 'Cancelled inference requests', labels: ['model', 'endpoint', 'request_type'], own: true },
  model_rejection_total: { type: 'counter', help: 'Inference requests refused because of overload', labels: ['model', 'endpoint'], own: true },
} as const satisfies Readonly<Record<string, Family>>;

/** Metrics of system requests, where they are asked for: ours, Dynamo has none. */
export const SYSTEM = {
  system_requests_total: { type: 'counter', help: 'System requests that have ended', labels: ['route', 'method', 'status'] },
  system_request_duration_seconds: histogram('Seconds from arrival to end of a system request', ['route']),
} as const satisfies Readonly<Record<string, Family>>;

export type FrontendName = keyof typeof FRONTEND | keyof typeof SYSTEM;

const ENDPOINT = ['dynamo_namespace', 'dynamo_component', 'dynamo_endpoint', 'worker_id'];

/** The metrics of a worker, by their names without the prefix `dynamo_`. */
export const WORKER = {
  component_requests_total: { type: 'counter', help: 'Requests that have had their turn', labels: ENDPOINT, own: true },
  component_request_duration_seconds: { type: 'histogram', help: 'Seconds from a request\'s turn to its end', labels: ENDPOINT, own: true, exemplars: true },
  component_inflight_requests: { type: 'gauge', help: 'Requests that are being handled', labels: ENDPOINT, own: true },
  component_request_bytes_total: { type: 'counter', help: 'Bytes of requests', labels: ENDPOINT, own: true },
  component_response_bytes_total: { type: 'counter', help: 'Bytes of responses', labels: ENDPOINT, own: true },
  component_errors_total: { type: 'counter', help: 'Requests that failed', labels: [...ENDPOINT, 'error_type'], own: true },
  component_cancellation_total: { type: 'counter', help: 'Requests that their callers cancelled', labels: ENDPOINT, own: true },
  component_uptime_seconds: { type: 'gauge', help: 'Seconds since the metrics were made', labels: [], aggregator: 'max' },
  work_handler_network_transit_seconds: { type: 'histogram', help: 'Seconds from a caller to here, by the clocks of both machines', labels: [] },
  work_handler_time_to_first_response_seconds: { type: 'histogram', help: 'Seconds from a request\'s turn to its prologue', labels: [], exemplars: true },
  work_handler_permit_wait_seconds: { type: 'histogram', help: 'Seconds that a request waited for its turn', labels: [] },
  work_handler_queue_depth: { type: 'gauge', help: 'Requests that wait for their turn', labels: [] },
  work_handler_queue_capacity: { type: 'gauge', help: 'Requests that may wait for their turn', labels: [] },
  work_handler_pool_active_tasks: { type: 'gauge', help: 'Requests that have their turn', labels: [] },
  work_handler_pool_capacity: { type: 'gauge', help: 'Requests that may have their turn at one time', labels: [] },
  work_handler_enqueue_rejected_total: { type: 'counter', help: 'Requests refused because the worker was at capacity', labels: [] },
} as const satisfies Readonly<Record<string, Family>>;

/** A trace to find an observation by; undefined where none is kept. */
export type Exemplar = Readonly<{ trace_id: string; span_id: string }> | undefined;

/** The exemplar of a request whose trace is kept. */
export function exemplarOf({ traceId, spanId, sampled }: { readonly traceId?: string | undefined; readonly spanId?: string | undefined; readonly sampled?: boolean | undefined }): Exemplar {
  return sampled === true && traceId !== undefined && spanId !== undefined ? { trace_id: traceId, span_id: spanId } : undefined;
}

export interface InstrumentSettings<Name extends string> {
  /** Those of `Name` that there are. */
  readonly families: Readonly<Partial<Record<Name, Family>>>;
  readonly prefix: string;
  /** Names of the application's labels. */
  readonly own: readonly string[];
  readonly buckets: Readonly<Partial<Record<FrontendBucketName | WorkerBucketName, readonly number[]>>>;
  readonly exemplars: boolean;
  /** Values of gauges that are read at each scrape. */
  readonly sources?: Readonly<Partial<Record<Name, () => number>>>;
}

/** One metric as it was made. */
interface Made {
  readonly counter?: PromCounter;
  readonly gauge?: PromGauge;
  readonly histogram?: PromHistogram;
  readonly exemplars?: boolean;
}

const NONE: Made = {};

/** Metrics in a registry. What a registry or metric throws is reported once; nothing here throws after the start. */
export class Instruments<Name extends string> {
  readonly #made: ReadonlyMap<string, Made>;

  /** @throws what prom-client throws, as for a name that the registry has already */
  constructor(prom: PromClient, registry: MetricsRegistry, settings: InstrumentSettings<Name>) {
    this.#made = new Map(Object.entries<Family | undefined>(settings.families).map(([name, family]) => [name, family === undefined ? NONE : make(prom, registry, settings, name as Name, family)]));
  }

  count(name: Name, labels: Labels, by = 1, exemplar?: Exemplar): void {
    const { counter, exemplars } = this.#made.get(name) ?? NONE;
    guarded('metrics', () => (exemplars === true ? counter?.inc({ labels, value: by, ...(exemplar && { exemplarLabels: exemplar }) }) : counter?.inc(labels, by)), undefined);
  }

  observe(name: Name, labels: Labels, value: number | undefined, exemplar?: Exemplar): void {
    if (value === undefined) return;
    const { histogram: metric, exemplars } = this.#made.get(name) ?? NONE;
    guarded('metrics', () => (exemplars === true ? metric?.observe({ labels, value, ...(exemplar && { exemplarLabels: exemplar }) }) : metric?.observe(labels, value)), undefined);
  }

  /** Moves a gauge up, or down by a negative number. */
  move(name: Name, labels: Labels, by: number): void {
    const { gauge } = this.#made.get(name) ?? NONE;
    guarded('metrics', () => gauge?.inc(labels, by), undefined);
  }
}

function make<Name extends string>(prom: PromClient, registry: MetricsRegistry, settings: InstrumentSettings<Name>, name: Name, family: Family): Made {
  const { type, help, labels, aggregator } = family;
  const exemplars = settings.exemplars && family.exemplars === true;
  const source = settings.sources?.[name];
  const config = {
    name: `${settings.prefix}_${name}`,
    help,
    labelNames: family.own === true ? [...labels, ...settings.own] : [...labels],
    registers: [registry],
    ...(aggregator === undefined ? {} : { aggregator }),
    ...(exemplars ? { enableExemplars: true } : {}),
    ...(source === undefined ? {} : { collect(this: { set(value: number): void }) { this.set(source()); } }),
  };
  if (type === 'counter') return { counter: new prom.Counter(config as never) as PromCounter, exemplars };
  if (type === 'gauge') return { gauge: new prom.Gauge(config as never) as PromGauge };
  return { histogram: new prom.Histogram({ ...config, buckets: [...(settings.buckets[name as FrontendBucketName] ?? [])] } as never) as PromHistogram, exemplars };
}
