export { type RouterOptions, type WorkerDiscovery } from './options.js';
export { type RoutedStream } from './routed-stream.js';
export { Router, type RouteOptions } from './router.js';
export { ROUTER_MODES, type RouterMode } from './selection.js';
export { type RoutedWorker, type StaticWorker, type WorkerList } from './workers.js';
