import assert from 'node:assert/strict';
import { it } from 'node:test';
import { chat, neighbour } from './support/neighbour.mjs';

const express = (more) => ({ app: 'express-gateway.cjs', telemetry: 'chosen.cjs', ...more });
const fastify = (more) => ({ app: 'fastify-gateway.cjs', telemetry: 'chosen.cjs', ...more });

neighbour('no SDK, Express', { app: 'express-gateway.cjs' });
neighbour('no SDK, Express 4', { app: 'express-gateway.cjs', env: { EXPRESS: 'express4' } });
neighbour('no SDK, Fastify', { app: 'fastify-gateway.cjs' });

neighbour('instrumentation-http alone, Express 5', express({ env: { INSTRUMENTATIONS: 'http' } }));
neighbour('instrumentation-http, -express and -router, Express 5', express({ env: { INSTRUMENTATIONS: 'http express router' } }));
neighbour('instrumentation-http, -express and -router, Express 4', express({ env: { INSTRUMENTATIONS: 'http express router', EXPRESS: 'express4' } }));
neighbour('instrumentation-http alone, Fastify', fastify({ env: { INSTRUMENTATIONS: 'http' } }));
neighbour('@fastify/otel alone', fastify({ env: { INSTRUMENTATIONS: 'fastify' } }));
neighbour('@fastify/otel with instrumentation-http', fastify({ env: { INSTRUMENTATIONS: 'http fastify' } }));

neighbour('NodeSDK with all instrumentations, Express 5', express({ telemetry: 'auto.cjs' }));
neighbour('instrumentation-http, -express, -router and -undici, Express 5, plain fetch', express({ env: { INSTRUMENTATIONS: 'http express router undici', PROPAGATOR: 'ids', CALL: 'fetch' } }));
neighbour('NodeSDK with all instrumentations, Express 4', express({ telemetry: 'auto.cjs', env: { EXPRESS: 'express4' } }));
neighbour('NodeSDK with all instrumentations, Fastify', fastify({ telemetry: 'auto.cjs' }));
neighbour('instrumentation-undici with tracedFetch', express({ env: { INSTRUMENTATIONS: 'http undici', PROPAGATOR: 'ids' } }));
neighbour('instrumentation-undici with plain fetch and DynamoPropagator({ requestIds: true })', fastify({ env: { INSTRUMENTATIONS: 'http undici', PROPAGATOR: 'ids', CALL: 'fetch' } }));

neighbour("serverSpan: 'own' under instrumentation-http, Express", express({ env: { INSTRUMENTATIONS: 'http', OPTIONS: '{"serverSpan":"own"}' }, server: 'own' }));
neighbour("serverSpan: 'own' under instrumentation-http, Fastify", fastify({ env: { INSTRUMENTATIONS: 'http', OPTIONS: '{"serverSpan":"own"}' }, server: 'own' }));

const saysSo = (visit) => it('one DEBUG line says that ours was registered', () => {
  const lines = visit().app.records.filter(({ message }) => /context manager/i.test(message));
  assert.deepEqual(lines.map(({ level }) => level), ['DEBUG']);
});
const incomplete = { app: 'express-gateway.cjs', telemetry: 'no-context-manager.cjs' };
neighbour('an SDK without a context manager', { ...incomplete, env: { DYN_LOG: 'debug' }, server: 'ours' }, saysSo);
// The first request has met an SDK without one: its span may be ours, its trace must be whole.
neighbour('an SDK without a context manager, with instrumentation-http', {
  ...incomplete, env: { DYN_LOG: 'debug', INSTRUMENTATIONS: 'http' }, calls: [chat({ judged: false }), chat(), chat({ stream: true })],
}, saysSo);
