export { AuditReport, headersText, problemsText, requestHop, type AuditedHop, type AuditedRequest, type HopKind, type HopProblem, type SeenHop } from './hop.js';
export { ownPort, requestBeingAnswered, tapHttp } from './http-tap.js';
export { HopLog } from './hop-log.js';
export { watchNats } from './nats.js';
export type { CorrelatedRequest } from './correlated-request.js';
