export { tracedFetch } from './fetch.js';
export { traceInterceptor } from './interceptor.js';
export { traceProxyReq } from './proxy-req.js';
