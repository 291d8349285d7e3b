export { HarnessProxy, type ProxiedRequest } from './harness-proxy.js';
export { LoopbackServer } from './loopback-server.js';
export { Upstream, type UpstreamRequest } from './upstream.js';
