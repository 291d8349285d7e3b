export { type RouterOptions, type WorkerDiscovery } from './options.js';
export { classifyFailure, ERROR_TYPE_OF_CODE, ERROR_TYPES, type AttemptOutcome, type Failure } from './outcomes.js';
export { type RoutedStream } from './routed-stream.js';
export { Router, type RouteOptions } from './router.js';
export { ROUTER_MODES, type RouterMode } from './selection.js';
export { type RoutedWorker, type StaticWorker, type WorkerList } from './workers.js';
