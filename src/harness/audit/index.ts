export { headersText } from './check.js';
export type { AuditedHop, AuditedRequest, HopKind, HopProblem, SeenHop } from './hop.js';
export { noteStartedSpan, requestBeingAnswered, tapHttp } from './http-tap.js';
export { HopLog } from './hop-log.js';
export { watchNats } from './nats.js';
export { AuditReport, problemsText } from './report.js';
export type { CorrelatedRequest } from './correlated-request.js';
export { Upstream, type UpstreamRequest } from './upstream.js';
