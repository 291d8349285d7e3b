export {
  assertCompletedOnce, assertConnectedTrace, assertEchoesRequestId, assertLeaksNoText, assertMatchesTree, assertPropagated, assertReceivedTraceOf, assertSpanAttributes,
  AuditReport, Collector, DynamoProcess, faults, Harness, HarnessDynamo, HarnessProxy, HarnessTrace, HarnessWorker, matchers, MemoryNetwork, missingDynamo, mockEngine, mockModel, mockPrefill, recordOfFields, recordOfLine, startHarness, Upstream,
  type AttachedServer, type AttachOptions, type AuditedHop, type AuditedRequest, type CapturedRecord, type CheckResult, type Closable, type CollectorOptions, type CompletedOptions, type DynamoEnvironment, type DynamoMatchers, type DynamoOptions, type DynamoRunOptions, type Fault, type FaultPoint, type FaultSide, type FieldPattern, type FieldPatterns,
  type FinishedSpan, type FinishedSpanEvent, type FinishedSpanLink, type HarnessOptions, type HeaderChanges, type HopHeaders, type HopKind, type HopProblem, type InjectedFault, type InjectOptions,
  type LinkRequest, type MockEngineItem, type MockEngineOptions, type MockEngineRequest, type MockModelOptions, type MockPrefillResult, type PairOptions, type PropagationOptions, type ProxiedRequest, type ReportedHop, type SpanAttribute, type SpanKindName,
  type SpanNode, type TraceOptions, type TraceSubject, type TreeOptions, type UpstreamRequest, type WorkerCall, type WorkerOptions, type WorkerPair, type WorkerScript,
} from './harness/index.js';
