export { checkStory, CLIENT_HOP, headersText } from './check.js';
export type { AuditedHop, AuditedRequest, HopKind, HopProblem, SeenHop } from './hop.js';
export { inboundOf, tapHttp, withProbe, type FetchProbe, type InboundRequest } from './http-tap.js';
export { Ledger } from './ledger.js';
export { watchNats } from './nats.js';
export { AuditReport, problemsText } from './report.js';
export type { Story } from './story.js';
export { emptyAnswer, Upstream, type UpstreamRequest } from './upstream.js';
