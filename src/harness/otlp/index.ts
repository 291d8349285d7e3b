export { Collector, type CollectorOptions, type CollectorSink } from './collector.js';
