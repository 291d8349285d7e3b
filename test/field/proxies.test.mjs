import { neighbour } from './support/neighbour.mjs';

const all = { telemetry: 'auto.cjs', work: false };
const some = { telemetry: 'chosen.cjs', env: { INSTRUMENTATIONS: 'http express router undici' }, work: false };
const helper = { HELPER: '1' };

// As they come, with our headers put in by the means that each of them has.
neighbour('undici.request() with the request as its body', { app: 'undici-proxy.mjs', upstreamIds: true });
neighbour('@fastify/http-proxy', { app: 'fastify-http-proxy.cjs', upstreamIds: true });
neighbour('@fastify/reply-from', { app: 'fastify-reply-from.cjs', upstreamIds: true });
neighbour('http-proxy-middleware', { app: 'http-proxy-middleware.cjs', upstreamIds: true });
neighbour('http-proxy-middleware after req.trace.echo(false)', { app: 'http-proxy-middleware.cjs', env: { ECHO: '0' }, upstreamIds: true, echo: false });
neighbour('axios', { app: 'axios.cjs' });
neighbour('axios under instrumentation-http, -express, -router and -undici', { app: 'axios.cjs', ...some });

// With our helpers, without an SDK and beside instrumentations that would add a traceparent of theirs.
neighbour('undici.request() through traceInterceptor()', { app: 'undici-interceptor.cjs' });
neighbour('undici.request() through traceInterceptor() under instrumentation-http, -express, -router and -undici', { app: 'undici-interceptor.cjs', ...some });
neighbour('@fastify/http-proxy through traceInterceptor()', { app: 'fastify-http-proxy.cjs', env: helper, upstreamIds: true });
neighbour('@fastify/http-proxy through traceInterceptor() under NodeSDK with all instrumentations', { app: 'fastify-http-proxy.cjs', env: helper, ...all, upstreamIds: true });
neighbour('http-proxy-middleware with traceProxyReq', { app: 'http-proxy-middleware.cjs', env: helper, upstreamIds: true });
neighbour('http-proxy-middleware with traceProxyReq under NodeSDK with all instrumentations', { app: 'http-proxy-middleware.cjs', env: helper, ...all, upstreamIds: true });
