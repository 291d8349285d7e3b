export type { AttachedServer, AttachOptions } from './attached.js';
export { type AuditedHop, type AuditedRequest, AuditReport, type HopKind, type HopProblem } from './audit/index.js';
export { Harness, startHarness, type PairOptions, type ReportedHop, type WorkerPair } from './harness.js';
export type { Closable } from './leaks.js';
export { faults, MemoryNetwork, type Fault, type FaultPoint, type FaultSide, type HeaderChanges, type InjectedFault, type InjectOptions, type LinkRequest } from './link/index.js';
export { Collector, type CollectorOptions } from './otlp/index.js';
export type { HarnessOptions } from './options.js';
export { recordOfFields, recordOfLine, type CapturedRecord, type FinishedSpan, type FinishedSpanEvent, type FinishedSpanLink, type SpanAttribute, type SpanKindName } from './record/index.js';
export type { TraceOptions } from './trace-lookup.js';
export { HarnessProxy, Upstream, type ProxiedRequest, type UpstreamRequest } from './servers/index.js';
export { HarnessTrace, type HopHeaders, type SpanNode, type TraceSubject, type TreeOptions } from './trace/index.js';
export { HarnessWorker, mockEngine, mockPrefill, type MockEngineItem, type MockEngineOptions, type MockEngineRequest, type MockPrefillResult, type WorkerCall, type WorkerOptions, type WorkerScript } from './worker/index.js';
export {
  assertCompletedOnce, assertConnectedTrace, assertEchoesRequestId, assertLeaksNoText, assertMatchesTree, assertPropagated, assertReceivedTraceOf, assertSpanAttributes, matchers,
  type Audited, type CheckResult, type CompletedOptions, type DynamoMatchers, type FieldPattern, type FieldPatterns, type PropagationOptions, type Recorded,
} from './matchers/index.js';
