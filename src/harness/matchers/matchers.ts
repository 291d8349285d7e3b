import type { HarnessTrace, TraceSubject } from '../trace/index.js';
import type { HarnessWorker } from '../worker/index.js';
import type { FieldPatterns } from './fields.js';
import { checkEchoedRequestId, checkPropagated, checkReceivedTrace, type Audited, type PropagationOptions } from './hop-checks.js';
import { checkNoText, type Recorded } from './leak-check.js';
import { demand, type CheckResult } from './result.js';
import { checkCompletedOnce, checkConnectedTrace, checkSpanAttributes, checkTree } from './trace-checks.js';

/** The matchers as `expect(...)` has them. */
export interface DynamoMatchers<R> {
  /** `expect(response)`: echoes `id`; without it, the id that the client sent. */
  toEchoRequestId(id?: string): R;
  /** `expect(worker)`: a `traceparent` of the request's trace reached it. */
  toHaveReceivedTraceOf(subject: TraceSubject): R;
  /** `expect(await harness.trace(response))`: one root, no orphan, no id used twice, one request id, one trace. */
  toBeConnectedTrace(): R;
  /** `expect(await harness.trace(response))`: has the shape of an indented text; `*`, `...` and `{attribute=value}` as docs/harness.md says. */
  toMatchTree(pattern: string): R;
  /** `expect(await harness.trace(response))`: a span of this name has these attributes. */
  toHaveSpanAttributes(name: string, attributes: FieldPatterns): R;
  /** `expect(await harness.trace(response))`: exactly one `request completed`, with these fields. */
  toHaveCompletedOnce(fields?: FieldPatterns): R;
  /** `expect(harness)`: every trace header came through every hop, of one request or of all. */
  toHavePropagated(subject?: TraceSubject, options?: PropagationOptions): R;
  /** `expect(trace)` or `expect(harness)`: nothing of the text is in a span or record. */
  toLeakNoText(text: string): R;
}

/** The matchers for `expect.extend(matchers)`, in jest and vitest alike. */
export const matchers = {
  toEchoRequestId: (response: Exclude<TraceSubject, string>, id?: string): CheckResult => checkEchoedRequestId(response, id),
  toHaveReceivedTraceOf: (worker: HarnessWorker, subject: TraceSubject): CheckResult => checkReceivedTrace(worker, subject),
  toBeConnectedTrace: (trace: HarnessTrace): CheckResult => checkConnectedTrace(trace),
  toMatchTree: (trace: HarnessTrace, pattern: string): CheckResult => checkTree(trace, pattern),
  toHaveSpanAttributes: (trace: HarnessTrace, name: string, attributes: FieldPatterns): CheckResult => checkSpanAttributes(trace, name, attributes),
  toHaveCompletedOnce: (trace: HarnessTrace, fields?: FieldPatterns): CheckResult => checkCompletedOnce(trace, fields),
  toHavePropagated: (harness: Audited, subject?: TraceSubject, options?: PropagationOptions): CheckResult => checkPropagated(harness, subject, options),
  toLeakNoText: (recorded: Recorded, text: string): CheckResult => checkNoText(recorded, text),
} as const;

/** As `expect(response).toEchoRequestId(id)`. @throws AssertionError */
export function assertEchoesRequestId(response: Exclude<TraceSubject, string>, id?: string): void {
  demand(checkEchoedRequestId(response, id));
}

/** As `expect(worker).toHaveReceivedTraceOf(subject)`. @throws AssertionError */
export function assertReceivedTraceOf(worker: HarnessWorker, subject: TraceSubject): void {
  demand(checkReceivedTrace(worker, subject));
}

/** As `expect(trace).toBeConnectedTrace()`. @throws AssertionError */
export function assertConnectedTrace(trace: HarnessTrace): void {
  demand(checkConnectedTrace(trace));
}

/** As `expect(trace).toMatchTree(pattern)`. @throws AssertionError; ERR_OPTION_INVALID for a pattern that cannot be read */
export function assertMatchesTree(trace: HarnessTrace, pattern: string): void {
  demand(checkTree(trace, pattern));
}

/** As `expect(trace).toHaveSpanAttributes(name, attributes)`. @throws AssertionError */
export function assertSpanAttributes(trace: HarnessTrace, name: string, attributes: FieldPatterns): void {
  demand(checkSpanAttributes(trace, name, attributes));
}

/** As `expect(trace).toHaveCompletedOnce(fields)`. @throws AssertionError */
export function assertCompletedOnce(trace: HarnessTrace, fields?: FieldPatterns): void {
  demand(checkCompletedOnce(trace, fields));
}

/** As `expect(harness).toHavePropagated(subject, options)`. @throws AssertionError */
export function assertPropagated(harness: Audited, subject?: TraceSubject, options?: PropagationOptions): void {
  demand(checkPropagated(harness, subject, options));
}

/** As `expect(recorded).toLeakNoText(text)`. @throws AssertionError */
export function assertLeaksNoText(recorded: Recorded, text: string): void {
  demand(checkNoText(recorded, text));
}
