export { type Buckets, type FrontendBucketName, type WorkerBucketName } from './buckets.js';
export { type LabelSource, type LabelSources } from './labels.js';
export { createGenAiMetrics, createMetrics, type LabelOptions, type Metrics, type MetricsOptions } from './metrics.js';
export { type MetricsRegistry, type PromClient } from './prom-client.js';
export { type EndedRequest, type EndedSystemRequest, type StartedRequest } from './requests.js';
export { createWorkerMetrics, type ServedCompletion, type ServedRequest, type WorkerMetrics, type WorkerMetricsOptions } from './worker.js';
