'use strict';
// NodeSDK with the instrumentations that INSTRUMENTATIONS names, and the propagator that PROPAGATOR names.
const { NodeSDK } = require('@opentelemetry/sdk-node');
const { toTest } = require('../support/to-test.cjs');

const INSTRUMENTATIONS = {
  http: () => new (require('@opentelemetry/instrumentation-http').HttpInstrumentation)(),
  express: () => new (require('@opentelemetry/instrumentation-express').ExpressInstrumentation)(),
  router: () => new (require('@opentelemetry/instrumentation-router').RouterInstrumentation)(),
  undici: () => new (require('@opentelemetry/instrumentation-undici').UndiciInstrumentation)(),
  fastify: () => new (require('@fastify/otel').FastifyOtelInstrumentation)({ registerOnInitialization: true }),
};
const PROPAGATORS = {
  ids: () => new (require('dynamo-tracing').DynamoPropagator)({ requestIds: true }),
  untrusted: () => require('dynamo-tracing').untrustedPropagator(),
};

const textMapPropagator = PROPAGATORS[process.env.PROPAGATOR]?.();
new NodeSDK({
  spanProcessors: [toTest()],
  instrumentations: process.env.INSTRUMENTATIONS.split(' ').filter(Boolean).map((name) => INSTRUMENTATIONS[name]()),
  ...(textMapPropagator === undefined ? {} : { textMapPropagator }),
}).start();
