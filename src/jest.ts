// An augmentation does not load the module that it augments: these imports do, and cost nothing where it is not installed.
import type {} from 'expect';
import type {} from 'vitest';
import { matchers, type DynamoMatchers } from './harness/index.js';

export {
  assertCompletedOnce, assertConnectedTrace, assertEchoesRequestId, assertLeaksNoText, assertMatchesTree, assertPropagated, assertReceivedTraceOf, assertSpanAttributes, matchers, type DynamoMatchers,
} from './harness/index.js';

interface Expect {
  extend?(matchers: object): void;
}

// jest and vitest with `globals` have it as a global; vitest without them keeps it under this symbol.
const VITEST_EXPECT = Symbol.for('expect-global');
const found = globalThis as { expect?: Expect; [VITEST_EXPECT]?: Expect };
(found.expect ?? found[VITEST_EXPECT])?.extend?.(matchers);

declare module 'expect' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type, @typescript-eslint/no-unused-vars -- an interface must repeat the type parameters of the one it extends
  interface Matchers<R extends void | Promise<void>, T = unknown> extends DynamoMatchers<R> {}
}

declare module 'vitest' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type, @typescript-eslint/no-unused-vars, @typescript-eslint/no-explicit-any -- as above
  interface Matchers<T = any> extends DynamoMatchers<void> {}
}

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- where @types/jest keeps its matchers
  namespace jest {
    // eslint-disable-next-line @typescript-eslint/no-empty-object-type, @typescript-eslint/no-unused-vars -- as above
    interface Matchers<R, T = {}> extends DynamoMatchers<R> {}
  }
}
