import type { FinishedSpan } from '../record/index.js';
import type { HarnessTrace } from './harness-trace.js';
import { isIdOrPart } from './request-keys.js';
import { buildTree, groupBy } from './tree.js';

/**
 * Everything that keeps a trace from being one story: several roots, spans whose parent is missing, ids used twice, several
 * request ids, spans of the same request in another trace. Empty when there is nothing.
 */
export function connectionProblems(trace: HarnessTrace): readonly string[] {
  if (trace.spans.length === 0) return [`no span of trace ${trace.traceId} was recorded`];
  return [...rootProblems(trace), ...reusedIds(trace.spans), ...requestIdProblems(trace), ...strayProblems(trace)];
}

function rootProblems(trace: HarnessTrace): string[] {
  const roots = buildTree(trace.spans).map(({ span }) => span);
  const ids = new Set(trace.spans.map(({ spanId }) => spanId));
  // The caller's span, outside the trace as it was recorded: what the client sent, else what the first root names.
  const caller = trace.callerSpanId ?? roots[0]?.parentSpanId;
  const problems: string[] = [];
  if (roots.length > 1) problems.push(`${roots.length} roots instead of one: ${roots.map(({ name }) => name).join(', ')}`);
  for (const span of trace.spans) {
    if (span.parentSpanId === undefined || ids.has(span.parentSpanId)) continue;
    if (span.parentSpanId !== caller) problems.push(`orphan: the parent ${span.parentSpanId} of ${span.name} is not a span of this trace`);
    else if (roots.length > 1) problems.push(`wrong parent: ${span.name} continues ${caller}, the span of the caller outside; ${roots.filter((other) => other !== span).map(({ name }) => name).join(', ')} ${roots.length > 2 ? 'do' : 'does'} so too`);
  }
  return problems;
}

function reusedIds(spans: readonly FinishedSpan[]): string[] {
  return [...groupBy(spans, ({ spanId }) => spanId)].filter(([, same]) => same.length > 1).map(([id, same]) => `span id ${id} is used ${same.length} times: ${same.map(({ name }) => name).join(', ')}`);
}

/** One request, one id: whoever names another has swapped it. Parts of a batch (`<id>-0`) have the id of the whole. */
function requestIdProblems(trace: HarnessTrace): string[] {
  const named = new Map<string, Set<string>>();
  const note = (id: unknown, who: string): void => {
    if (typeof id === 'string') named.set(id, (named.get(id) ?? new Set()).add(who));
  };
  note(trace.requestId, 'the response');
  for (const span of trace.spans) note(span.attributes['request_id'], `span ${span.name}`);
  for (const record of trace.records) note(record.requestId, `record "${record.message}"`);
  for (const { id, who } of trace.requestIdsOnHops) note(id, who);
  for (const id of [...named.keys()]) if ([...named.keys()].some((whole) => whole !== id && isIdOrPart(id, whole))) named.delete(id);
  if (named.size < 2) return [];
  return [`${named.size} request ids in one trace: ${[...named].map(([id, who]) => `${id} (${[...who].join(', ')})`).join('; ')}`];
}

function strayProblems(trace: HarnessTrace): string[] {
  return trace.strays.map((span) => `two traces in one request: ${span.name} with request_id ${trace.requestId ?? ''} is in trace ${span.traceId}, not in ${trace.traceId}`);
}
