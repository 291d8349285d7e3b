import { guarded } from '../internal/index.js';
import { activeContext, runInContext } from '../trace-context/index.js';
import type { SpanFields } from './attributes.js';
import { SPANS } from './catalogue.js';
import { defaultSpanSettings, startSpan, type SpanSettings, type TracedSpan } from './span.js';

/** Steps of a disaggregated router that have a span of their own. */
export type RoutingStep = 'prefill_routing' | 'kv_find_best_match';

/**
 * Runs `fn` inside a routing span of the current request and ends the span when `fn` is done: when it returns, or when the
 * promise it returns settles. Detached work that `fn` starts keeps the span as its context. What `fn` throws is marked on the
 * span and thrown on.
 */
export function withRoutingSpan<T>(step: RoutingStep, fn: (span: TracedSpan) => T, fields: SpanFields = {}, settings: SpanSettings = defaultSpanSettings()): T {
  const definition = step === 'prefill_routing' ? SPANS.prefillRouting : SPANS.kvFindBestMatch;
  const span = startSpan(definition, { settings, parent: activeContext(), fields });
  try {
    const result = runInContext(span.context, () => fn(span));
    if (!isPromiseLike(result)) {
      span.end();
      return result;
    }
    return result.then(
      (value: unknown) => (span.end(), value),
      (error: unknown) => failed(span, error),
    ) as T;
  } catch (error) {
    return failed(span, error);
  }
}

function failed(span: TracedSpan, error: unknown): never {
  // By its name alone: the text of an error may repeat a prompt. Code of others can throw things that have no name either.
  guarded('withRoutingSpan', () => span.fail(error instanceof Error ? error.name : 'error'), undefined);
  span.end();
  throw error;
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
