export { createMetrics, type EndedRequest, type Metrics, type MetricsOptions, type MetricsRegistry, type StartedRequest } from './metrics/index.js';
