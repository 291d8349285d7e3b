export { headersText } from './check.js';
export type { AuditedHop, AuditedRequest, HopKind, HopProblem, ReportedHop, SeenHop } from './hop.js';
export { noteStartedSpan, requestBeingAnswered, tapHttp, withProbe, type FetchProbe } from './http-tap.js';
export { HopLog } from './hop-log.js';
export { watchNats } from './nats.js';
export { AuditReport, problemsText } from './report.js';
export type { CorrelatedRequest } from './correlated-request.js';
export { emptyAnswer, Upstream, type UpstreamRequest } from './upstream.js';
