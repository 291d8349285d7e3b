export type { Audited, PropagationOptions } from './hop-checks.js';
export type { Recorded } from './leak-check.js';
export {
  assertCompletedOnce, assertConnectedTrace, assertEchoesRequestId, assertLeaksNoText, assertMatchesTree, assertPropagated, assertReceivedTraceOf, assertSpanAttributes, matchers, type DynamoMatchers,
} from './matchers.js';
export type { CheckResult, FieldPattern, FieldPatterns } from './result.js';
export type { CompletedOptions } from './trace-checks.js';
