import type { IncomingMessage, ServerResponse } from 'node:http';
import { DynamoTracingError } from '../errors/index.js';
import { booleanOption, decisionOption, numberOption, optionalOption, readOptions, type Environment } from '../internal/index.js';
import { bucketsOption, frontendBuckets, type Buckets, type FrontendBucketName } from './buckets.js';
import { exemplarOf, FRONTEND, Instruments, SYSTEM, type FrontendName } from './families.js';
import { GenAiMetrics } from './gen-ai.js';
import { labelsOption, ModelLabels, OwnLabels, RouteLabels, type IsServed, type LabelSources } from './labels.js';
import { clientOption, registering, registryFor, registryOption, scrapeHandler, type MetricsRegistry, type PromClient } from './prom-client.js';
import { OpenRequests, type EndedRequest, type EndedSystemRequest, type StartedRequest } from './requests.js';

/** What bounds the labels, of Prometheus and OpenTelemetry metrics alike. */
export interface LabelOptions {
  /**
   * Whether a model is served: true makes its name a label, false counts it under `unknown_model`, as Dynamo does, and undefined
   * leaves it to the default: a name becomes a label when a request for it is answered with success.
   */
  readonly isServed?: IsServed;
  /** Models that are labels; further ones are counted under `other`. Default 100. */
  readonly maxModels?: number;
  /**
   * Labels of the application on the metrics of ended requests, at most 8: text, or a function of the ended request. A function that
   * throws, or returns nothing, makes an empty value. Default none.
   */
  readonly labels?: LabelSources<EndedRequest>;
  /** Sets of values that `labels` may have; what a further set counts has `other` for all of them. Default 100. */
  readonly maxLabelSets?: number;
}

/** Options of {@link createMetrics}. */
export interface MetricsOptions extends LabelOptions {
  /** The prom-client module, where it cannot be found at run time, as in a bundle. Default: the one that is installed. */
  readonly client?: PromClient;
  /** Where the metrics are registered. Default: a registry of their own; in a worker process of node:cluster prom-client's `register`. */
  readonly registry?: MetricsRegistry;
  /** Upper bounds of histogram buckets, by the metric's name without its prefix. Default: Dynamo's, by its DYN_METRICS_* variables. */
  readonly buckets?: Partial<Buckets<FrontendBucketName>>;
  /** Show ids of a sampled trace beside histograms and `requests_total`, in the OpenMetrics format. Default false. */
  readonly exemplars?: boolean;
  /** Count system requests (health checks, lists of models, pages of the application) too. Default false. */
  readonly systemRoutes?: boolean;
  /** Record OpenTelemetry metrics too, when a meter provider is registered. Default true. */
  readonly openTelemetry?: boolean;
  /** Variables to read DYN_METRICS_PREFIX (default `dynamo_frontend`) and DYN_METRICS_* of the buckets from. Default: process.env. */
  readonly env?: Environment;
}

/** Prometheus metrics with the names, labels and buckets of Dynamo's frontend. */
export interface Metrics {
  readonly registry: MetricsRegistry;
  /** For the middleware's option of that name. */
  readonly onReceived: (started: StartedRequest) => void;
  /** For the middleware's option of that name. */
  readonly onCompleted: (ended: EndedRequest) => void;
  /** For the middleware's option of that name; does nothing without `systemRoutes`. */
  readonly onSystemCompleted: (ended: EndedSystemRequest) => void;
  /** Answers a scrape: a handler for `GET /metrics`. */
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
}

const TAKEN = [...new Set(Object.values({ ...FRONTEND, ...SYSTEM }).flatMap(({ labels }) => labels as readonly string[]))];
const BOUND = { min: 1, max: 10_000 };

const LABEL_SPEC = {
  isServed: decisionOption<IsServed>(),
  maxModels: numberOption(100, BOUND),
  labels: labelsOption<EndedRequest>(TAKEN),
  maxLabelSets: numberOption(100, BOUND),
};
const SPEC = {
  ...LABEL_SPEC,
  client: clientOption,
  registry: registryOption,
  buckets: bucketsOption(Object.keys(frontendBuckets({})) as FrontendBucketName[]),
  exemplars: booleanOption(false),
  systemRoutes: booleanOption(false),
  openTelemetry: booleanOption(true),
  env: optionalOption<Environment>('an object', (value) => typeof value === 'object' && value !== null),
};

/** Names of all options: docs/metrics.md is held equal to it. */
export const METRICS_OPTION_NAMES: readonly string[] = Object.keys(SPEC);

/**
 * Makes the metrics: `dynamoTracing({ onReceived: metrics.onReceived, onCompleted: metrics.onCompleted })`. What a registry or a meter
 * throws later is reported once and touches no request.
 * @throws ERR_DEPENDENCY_MISSING when prom-client is not installed; ERR_OPTION_INVALID, also for a registry that has such metrics
 * already; ERR_ENV_INVALID
 */
export function createMetrics(input?: MetricsOptions): Metrics {
  const options = readOptions('createMetrics', SPEC, input);
  const env = options.env ?? process.env;
  const { prom, registry } = registryFor('createMetrics', options);
  const models = new ModelLabels('createMetrics', options.isServed, options.maxModels);
  const own = new OwnLabels('createMetrics', options.labels, options.maxLabelSets);
  const families = options.systemRoutes ? { ...FRONTEND, ...SYSTEM } : FRONTEND;
  const settings = { families, prefix: prefixOf(env), own: own.names, buckets: { ...frontendBuckets(env), ...options.buckets }, exemplars: options.exemplars };
  const instruments = registering('createMetrics', () => new Instruments<FrontendName>(prom, registry, settings));
  const open = new OpenRequests(models, instruments);
  const genAi = options.openTelemetry ? new GenAiMetrics() : undefined;
  const routes = new RouteLabels();
  return {
    registry,
    onReceived: (started) => open.began(started),
    onCompleted: (ended) => {
      open.ended(ended);
      const labels = own.of(ended, ended.status === 'success');
      record(instruments, ended, { ...labels, model: models.ofEnded(ended.model, ended.status === 'success') });
      genAi?.record(ended, models, labels);
    },
    onSystemCompleted: (ended) => {
      const route = routes.of(ended.route);
      instruments.count('system_requests_total', { route, method: ended.method, status: String(ended.httpStatus ?? '') });
      instruments.observe('system_request_duration_seconds', { route }, ended.elapsedMs / 1000, exemplarOf(ended));
    },
    handler: scrapeHandler(registry),
  };
}

/**
 * The OpenTelemetry metrics alone, for those who need no prom-client: `dynamoTracing({ onCompleted: createGenAiMetrics().onCompleted })`.
 * @throws ERR_OPTION_INVALID
 */
export function createGenAiMetrics(input?: LabelOptions): Pick<Metrics, 'onCompleted'> {
  const options = readOptions('createGenAiMetrics', LABEL_SPEC, input);
  const models = new ModelLabels('createGenAiMetrics', options.isServed, options.maxModels);
  const own = new OwnLabels('createGenAiMetrics', options.labels, options.maxLabelSets);
  const genAi = new GenAiMetrics();
  return { onCompleted: (ended) => genAi.record(ended, models, own.of(ended, ended.status === 'success')) };
}

function prefixOf(env: Environment): string {
  const prefix = env['DYN_METRICS_PREFIX']?.trim() ?? '';
  if (prefix === '') return 'dynamo_frontend';
  if (/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(prefix)) return prefix;
  throw new DynamoTracingError('ERR_ENV_INVALID', `DYN_METRICS_PREFIX must be letters, digits, _ and : with no digit first, got ${JSON.stringify(prefix.slice(0, 64))}`, { variable: 'DYN_METRICS_PREFIX' });
}

/** Dynamo's labels keep `error` for cancelled requests; `error_type` is empty on success. `labels`: the model and the application's. */
function record(to: Instruments<FrontendName>, ended: EndedRequest, labels: Readonly<Record<string, string>> & { readonly model: string }): void {
  const { endpoint, requestType, status, errorType, ttftMs, avgItlMs } = ended;
  const isSuccess = status === 'success';
  const exemplar = exemplarOf(ended);
  const seconds = ended.elapsedMs / 1000;
  to.count('requests_total', { ...labels, endpoint, request_type: requestType, status: isSuccess ? 'success' : 'error', error_type: isSuccess ? '' : errorType }, 1, exemplar);
  to.observe('request_duration_seconds', labels, seconds, exemplar);
  to.observe('input_sequence_tokens', labels, ended.inputTokens, exemplar);
  to.observe('cached_tokens', labels, ended.cachedTokens, exemplar);
  to.observe('output_sequence_tokens', labels, ended.outputTokens, exemplar);
  if (ended.outputTokens !== undefined) to.count('output_tokens_total', labels, ended.outputTokens);
  to.observe('time_to_first_token_seconds', labels, ttftMs === undefined ? undefined : ttftMs / 1000, exemplar);
  to.observe('inter_token_latency_seconds', labels, avgItlMs === undefined ? undefined : avgItlMs / 1000, exemplar);
  if (isSuccess && endpoint === 'embeddings') to.observe('embedding_latency_seconds', labels, seconds, exemplar);
  if (errorType === 'overload') to.count('model_rejection_total', { ...labels, endpoint });
  if (status !== 'cancelled') return;
  to.count('model_cancellation_total', { ...labels, endpoint, request_type: requestType });
  to.move('disconnected_clients', {}, 1);
}
