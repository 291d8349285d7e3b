'use strict';
// What README.md says to install: an SDK's tracer provider and the HTTP instrumentation. Nobody has registered a context manager.
const { propagation, trace } = require('@opentelemetry/api');
const { BasicTracerProvider } = require('@opentelemetry/sdk-trace-base');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { DynamoPropagator } = require('dynamo-tracing');
const { toTest } = require('../support/to-test.cjs');

trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [toTest()] }));
propagation.setGlobalPropagator(new DynamoPropagator());
if (process.env.INSTRUMENTATIONS === 'http') new HttpInstrumentation();
