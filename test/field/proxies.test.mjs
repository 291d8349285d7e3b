import { neighbour } from './support/neighbour.mjs';

neighbour('undici.request() with the request as its body', { app: 'undici-proxy.mjs', upstreamIds: true });
neighbour('@fastify/http-proxy', { app: 'fastify-http-proxy.cjs', upstreamIds: true });
neighbour('@fastify/reply-from', { app: 'fastify-reply-from.cjs', upstreamIds: true });
neighbour('http-proxy-middleware', { app: 'http-proxy-middleware.cjs', upstreamIds: true });
neighbour('http-proxy-middleware under NodeSDK with all instrumentations', { app: 'http-proxy-middleware.cjs', telemetry: 'auto.cjs', upstreamIds: true, work: false });
neighbour('axios', { app: 'axios.cjs' });
neighbour('axios under NodeSDK with all instrumentations', { app: 'axios.cjs', telemetry: 'auto.cjs', work: false });
