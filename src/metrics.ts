export { createMetrics, type EndedRequest, type Metrics, type MetricsOptions, type MetricsRegistry, type PromClient, type StartedRequest } from './metrics/index.js';
