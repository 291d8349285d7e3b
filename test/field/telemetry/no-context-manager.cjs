'use strict';
// What README.md says to install: an SDK's tracer provider and the HTTP instrumentation. Nobody has registered a context manager.
const { propagation, trace } = require('@opentelemetry/api');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { DynamoPropagator } = require('dynamo-tracing');
const { toTest } = require('../support/to-test.cjs');

/** The class of SDK 2.x, or that of 3.x, whose package has another name. */
function providerClass() {
  try {
    return require('@opentelemetry/sdk-trace-base').BasicTracerProvider;
  } catch {
    return require('@opentelemetry/sdk-trace').TracerProvider;
  }
}

trace.setGlobalTracerProvider(new (providerClass())({ spanProcessors: [toTest()] }));
propagation.setGlobalPropagator(new DynamoPropagator());
if (process.env.INSTRUMENTATIONS === 'http') new HttpInstrumentation();
