import { checkEchoedRequestId, checkPropagated, checkReceivedTrace } from './hop-checks.js';
import { checkNoText } from './leak-check.js';
import { asserting, type CheckResult } from './result.js';
import { checkCompletedOnce, checkConnectedTrace, checkSpanAttributes, checkTree } from './trace-checks.js';

/** The matchers for `expect.extend(matchers)`, in jest and vitest alike. */
export const matchers = {
  /** `expect(response)`: echoes `id`; without it, the id that the client sent. */
  toEchoRequestId: checkEchoedRequestId,
  /** `expect(worker)`: a `traceparent` of the request's trace reached it. */
  toHaveReceivedTraceOf: checkReceivedTrace,
  /** `expect(await harness.trace(response))`: one root, no orphan, no id used twice, one request id, one trace. */
  toBeConnectedTrace: checkConnectedTrace,
  /** `expect(await harness.trace(response))`: has the shape of an indented text; `*`, `...` and `{attribute=value}` as docs/harness.md says. */
  toMatchTree: checkTree,
  /** `expect(await harness.trace(response))`: a span of this name has these attributes. */
  toHaveSpanAttributes: checkSpanAttributes,
  /** `expect(await harness.trace(response))`: exactly one `request completed`, with these fields: of `service`, or of each service that wrote one. */
  toHaveCompletedOnce: checkCompletedOnce,
  /** `expect(harness)`: every trace header came through every hop, of one request or of all. */
  toHavePropagated: checkPropagated,
  /** `expect(trace)` or `expect(harness)`: nothing of the text is in a span or record. */
  toLeakNoText: checkNoText,
} as const;

type Checks = typeof matchers;

/** The matchers as `expect(...)` has them. */
export type DynamoMatchers<R> = {
  [K in keyof Checks]: Checks[K] extends (given: never, ...args: infer A) => CheckResult ? (...args: A) => R : never;
};

/** As `expect(response).toEchoRequestId(id)`. @throws AssertionError */
export const assertEchoesRequestId = asserting(checkEchoedRequestId);

/** As `expect(worker).toHaveReceivedTraceOf(subject)`. @throws AssertionError */
export const assertReceivedTraceOf = asserting(checkReceivedTrace);

/** As `expect(trace).toBeConnectedTrace()`. @throws AssertionError */
export const assertConnectedTrace = asserting(checkConnectedTrace);

/** As `expect(trace).toMatchTree(pattern)`. @throws AssertionError; ERR_OPTION_INVALID for a pattern that cannot be read */
export const assertMatchesTree = asserting(checkTree);

/** As `expect(trace).toHaveSpanAttributes(name, attributes)`. @throws AssertionError */
export const assertSpanAttributes = asserting(checkSpanAttributes);

/** As `expect(trace).toHaveCompletedOnce(fields, { service })`. @throws AssertionError */
export const assertCompletedOnce = asserting(checkCompletedOnce);

/** As `expect(harness).toHavePropagated(subject, options)`. @throws AssertionError */
export const assertPropagated = asserting(checkPropagated);

/** As `expect(recorded).toLeakNoText(text)`. @throws AssertionError */
export const assertLeaksNoText = asserting(checkNoText);
