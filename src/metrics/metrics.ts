import type { IncomingMessage, ServerResponse } from 'node:http';
import { needPackage, optionalOption, readOptions, reportFault, type Environment } from '../internal/index.js';
import { BUCKETS } from './buckets.js';

/** The prom-client module, as far as it is used here: any version of it fits. */
export interface PromClient {
  readonly Registry: new () => MetricsRegistry;
  readonly Counter: new (config: object) => { inc(labels: Labels, by?: number): void };
  readonly Gauge: new (config: object) => { inc(labels: Labels, by?: number): void; dec(labels: Labels, by?: number): void };
  readonly Histogram: new (config: object) => { observe(labels: Labels, value: number): void };
}

type Labels = Readonly<Record<string, string>>;

/** A prom-client registry, as far as it is used here. */
export interface MetricsRegistry {
  readonly contentType: string;
  metrics(): Promise<string>;
}

export interface MetricsOptions {
  /** The prom-client module, where it cannot be found at run time, as in a bundle. Default: the one that is installed. */
  readonly client?: PromClient;
  /** Where the metrics are registered. Default: a registry of their own. */
  readonly registry?: MetricsRegistry;
  /** Variables to read DYN_METRICS_PREFIX from (default `dynamo_frontend`). Default: process.env. */
  readonly env?: Environment;
}

/** How a request began, as the middleware's `onReceived` tells it. */
export interface StartedRequest {
  readonly model: string;
  readonly endpoint: string;
  readonly requestType: string;
}

/** How a request ended, as the middleware's `onCompleted` tells it; times in milliseconds. */
export interface EndedRequest extends StartedRequest {
  /** The `model` that its {@link StartedRequest} had. */
  readonly requestedModel: string;
  readonly status: string;
  readonly errorType: string;
  readonly elapsedMs: number;
  readonly inputTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly cachedTokens?: number | undefined;
  readonly ttftMs?: number | undefined;
  readonly avgItlMs?: number | undefined;
}

/** Prometheus metrics with the names, labels and buckets of Dynamo's frontend. */
export interface Metrics {
  readonly registry: MetricsRegistry;
  /** For the middleware's option of that name. */
  readonly onReceived: (started: StartedRequest) => void;
  /** For the middleware's option of that name. */
  readonly onCompleted: (ended: EndedRequest) => void;
  /** Answers a scrape: a handler for `GET /metrics`. */
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
const SPEC = {
  client: optionalOption<PromClient>('the prom-client module', (value) => isObject(value) && ['Registry', 'Counter', 'Gauge', 'Histogram'].every((name) => typeof (value as Record<string, unknown>)[name] === 'function')),
  registry: optionalOption<MetricsRegistry>('a prom-client registry', isObject),
  env: optionalOption<Environment>('an object', isObject),
};

/** Models beyond this many are counted as `other`: a client must not fill the registry by inventing names. */
const MAX_MODELS = 100;

/**
 * Makes the metrics: `dynamoTracing({ onReceived: metrics.onReceived, onCompleted: metrics.onCompleted })`.
 * @throws ERR_DEPENDENCY_MISSING when prom-client is not installed; ERR_OPTION_INVALID
 */
export function createMetrics(input?: MetricsOptions): Metrics {
  const options = readOptions('createMetrics', SPEC, input);
  const prom = options.client ?? (needPackage('prom-client', 'createMetrics()') as PromClient);
  const registry = options.registry ?? new prom.Registry();
  const families = makeFamilies(prom, registry, (options.env ?? process.env)['DYN_METRICS_PREFIX'] ?? 'dynamo_frontend');
  const models = new Set<string>();
  const labelOf = (model: string): string => {
    if (models.has(model) || models.size < MAX_MODELS) return models.add(model), model;
    return 'other';
  };
  return {
    registry,
    onReceived: ({ model, endpoint, requestType }) => {
      const label = labelOf(model);
      families.started.inc({ model: label, endpoint, request_type: requestType });
      families.inflight.inc({ model: label });
    },
    onCompleted: (ended) => {
      families.inflight.dec({ model: labelOf(ended.requestedModel) });
      record(families, labelOf(ended.model), ended);
    },
    handler: (_req, res) => void answerScrape(registry, res),
  };
}

/** Never rejects: a registry of somebody's may fail, and somebody else may have answered meanwhile. */
async function answerScrape(registry: MetricsRegistry, res: ServerResponse): Promise<void> {
  try {
    const text = await registry.metrics();
    if (!res.headersSent) res.setHeader('content-type', registry.contentType).end(text);
  } catch (error) {
    reportFault('metrics', error);
    if (!res.headersSent) res.writeHead(500).end();
  }
}

type Families = ReturnType<typeof makeFamilies>;

function makeFamilies(prom: PromClient, registry: MetricsRegistry, prefix: string) {
  const common = (name: string, help: string, labelNames: readonly string[]): object => ({ name: `${prefix}_${name}`, help, labelNames, registers: [registry] });
  const histogram = (name: keyof typeof BUCKETS | 'cached_tokens', help: string): InstanceType<PromClient['Histogram']> =>
    new prom.Histogram({ ...common(name, help, ['model']), buckets: [...BUCKETS[name === 'cached_tokens' ? 'input_sequence_tokens' : name]] });
  return {
    requests: new prom.Counter(common('requests_total', 'Inference requests that have ended', ['model', 'endpoint', 'request_type', 'status', 'error_type'])),
    started: new prom.Counter(common('requests_started_total', 'Inference requests received', ['model', 'endpoint', 'request_type'])),
    inflight: new prom.Gauge(common('inflight_requests', 'Inference requests received and not ended', ['model'])),
    outputTokens: new prom.Counter(common('output_tokens_total', 'Output tokens', ['model'])),
    duration: histogram('request_duration_seconds', 'Seconds from arrival to end'),
    input: histogram('input_sequence_tokens', 'Input tokens of a request'),
    cached: histogram('cached_tokens', 'Cached input tokens of a request'),
    output: histogram('output_sequence_tokens', 'Output tokens of a request'),
    ttft: histogram('time_to_first_token_seconds', 'Seconds to the first token'),
    itl: histogram('inter_token_latency_seconds', 'Mean seconds between tokens of a request'),
  };
}

/** Dynamo's labels keep `error` for cancelled requests; `error_type` is empty on success. */
function record(families: Families, model: string, ended: EndedRequest): void {
  const ok = ended.status === 'success';
  families.requests.inc({ model, endpoint: ended.endpoint, request_type: ended.requestType, status: ok ? 'success' : 'error', error_type: ok ? '' : ended.errorType });
  families.duration.observe({ model }, ended.elapsedMs / 1000);
  if (ended.inputTokens !== undefined) families.input.observe({ model }, ended.inputTokens);
  if (ended.cachedTokens !== undefined) families.cached.observe({ model }, ended.cachedTokens);
  if (ended.outputTokens !== undefined) {
    families.output.observe({ model }, ended.outputTokens);
    families.outputTokens.inc({ model }, ended.outputTokens);
  }
  if (ended.ttftMs !== undefined) families.ttft.observe({ model }, ended.ttftMs / 1000);
  if (ended.avgItlMs !== undefined) families.itl.observe({ model }, ended.avgItlMs / 1000);
}
