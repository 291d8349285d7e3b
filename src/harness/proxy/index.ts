export { HarnessProxy, type ProxiedRequest } from './harness-proxy.js';
