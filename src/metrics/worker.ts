import type { IncomingMessage, ServerResponse } from 'node:http';
import { booleanOption, monotonicMs, readOptions } from '../internal/index.js';
import { bucketsOption, WORKER_BUCKETS, type Buckets, type WorkerBucketName } from './buckets.js';
import { exemplarOf, Instruments, WORKER } from './families.js';
import { labelsOption, OwnLabels } from './labels.js';
import { clientOption, registering, registryFor, registryOption, scrapeHandler, type Labels, type MetricsRegistry, type PromClient } from './prom-client.js';

/** Options of {@link createWorkerMetrics}. */
export interface WorkerMetricsOptions {
  /** As that of `createMetrics`. */
  readonly client?: PromClient;
  /** As that of `createMetrics`. */
  readonly registry?: MetricsRegistry;
  /** Labels of the worker, at most 8, each with one text: Dynamo's `metrics_labels`, as `{ model: 'm' }`. Default none. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Upper bounds of histogram buckets, by the metric's name without `dynamo_`. Default: Dynamo's. */
  readonly buckets?: Partial<Buckets<WorkerBucketName>>;
  /** As that of `createMetrics`. */
  readonly exemplars?: boolean;
}

/** A request at a worker, as the transport's observer is told of it. */
export interface ServedRequest {
  readonly namespace: string;
  readonly component: string;
  readonly endpoint: string;
  readonly instanceId: bigint;
  readonly requestBytes: number;
  readonly waitedMs: number;
  readonly transitMs: number | undefined;
}

/** How it ended. */
export interface ServedCompletion extends ServedRequest {
  readonly status: string;
  readonly failed: string | undefined;
  readonly elapsedMs: number;
  readonly firstResponseMs: number | undefined;
  readonly responseBytes: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

type Load = () => { readonly active: number; readonly queued: number; readonly poolSize: number; readonly queueSize: number };

/** Prometheus metrics with the names, labels and buckets of Dynamo's workers. */
export interface WorkerMetrics {
  readonly registry: MetricsRegistry;
  /** For the option `observer` of `RequestPlaneServer`; several servers of a process may share it. */
  readonly observer: {
    readonly onWorker: (load: Load) => void;
    readonly onReceived: (received: ServedRequest) => void;
    readonly onCompleted: (completed: ServedCompletion) => void;
    readonly onRejected: () => void;
  };
  /** Answers a scrape: a handler for `GET /metrics`. */
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
}

const SPEC = {
  client: clientOption,
  registry: registryOption,
  labels: labelsOption<never>([...new Set(Object.values(WORKER).flatMap(({ labels }) => labels as readonly string[]))], { constant: true }),
  buckets: bucketsOption(Object.keys(WORKER_BUCKETS) as WorkerBucketName[]),
  exemplars: booleanOption(false),
};

/** Names of all options: docs/metrics.md is held equal to it. */
export const WORKER_METRICS_OPTION_NAMES: readonly string[] = Object.keys(SPEC);

/**
 * Makes the metrics of a worker: `new RequestPlaneServer({ observer: metrics.observer })`.
 * @throws ERR_DEPENDENCY_MISSING when prom-client is not installed; ERR_OPTION_INVALID, also for a registry that has such metrics already
 */
export function createWorkerMetrics(input?: WorkerMetricsOptions): WorkerMetrics {
  const options = readOptions('createWorkerMetrics', SPEC, input);
  const { prom, registry } = registryFor('createWorkerMetrics', options);
  const own = new OwnLabels<never>('createWorkerMetrics', options.labels, 1);
  const loads: Load[] = [];
  const startedAt = monotonicMs();
  const sum = (key: keyof ReturnType<Load>) => (): number => loads.reduce((total, load) => total + load()[key], 0);
  const sources = {
    component_uptime_seconds: () => (monotonicMs() - startedAt) / 1000,
    work_handler_queue_depth: sum('queued'),
    work_handler_queue_capacity: sum('queueSize'),
    work_handler_pool_active_tasks: sum('active'),
    work_handler_pool_capacity: sum('poolSize'),
  };
  const settings = { families: WORKER, prefix: 'dynamo', own: own.names, buckets: { ...WORKER_BUCKETS, ...options.buckets }, exemplars: options.exemplars, sources };
  const instruments = registering('createWorkerMetrics', () => new Instruments<keyof typeof WORKER>(prom, registry, settings));
  const labelsOf = ({ namespace, component, endpoint, instanceId }: ServedRequest): Labels =>
    ({ ...own.constants, dynamo_namespace: namespace, dynamo_component: component, dynamo_endpoint: endpoint, worker_id: instanceId.toString(16) });
  return {
    registry,
    observer: {
      onWorker: (load) => void loads.push(load),
      onReceived: (received) => begin(instruments, received, labelsOf(received)),
      onCompleted: (completed) => end(instruments, completed, labelsOf(completed)),
      onRejected: () => instruments.count('work_handler_enqueue_rejected_total', {}),
    },
    handler: scrapeHandler(registry),
  };
}

function begin(to: Instruments<keyof typeof WORKER>, { requestBytes, waitedMs, transitMs }: ServedRequest, labels: Labels): void {
  to.move('component_inflight_requests', labels, 1);
  to.count('component_requests_total', labels);
  to.count('component_request_bytes_total', labels, requestBytes);
  to.observe('work_handler_permit_wait_seconds', {}, waitedMs / 1000);
  to.observe('work_handler_network_transit_seconds', {}, transitMs === undefined ? undefined : transitMs / 1000);
}

function end(to: Instruments<keyof typeof WORKER>, completed: ServedCompletion, labels: Labels): void {
  const { elapsedMs, firstResponseMs, responseBytes, failed, status } = completed;
  const exemplar = exemplarOf(completed);
  to.move('component_inflight_requests', labels, -1);
  to.observe('component_request_duration_seconds', labels, elapsedMs / 1000, exemplar);
  to.count('component_response_bytes_total', labels, responseBytes);
  to.observe('work_handler_time_to_first_response_seconds', {}, firstResponseMs === undefined ? undefined : firstResponseMs / 1000, exemplar);
  if (failed !== undefined) to.count('component_errors_total', { ...labels, error_type: failed });
  if (status === 'cancelled') to.count('component_cancellation_total', labels);
}
