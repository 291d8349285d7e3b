import { clearTimeout, setTimeout } from 'node:timers';
import { DynamoTracingError } from '../errors/index.js';
import type { HopLog, CorrelatedRequest } from './audit/index.js';
import type { CapturedRecord, FinishedSpan, TraceStore } from './record/index.js';
import type { HarnessWorker } from './worker/index.js';
import { HarnessTrace, buildTree, idsOf, isIdOrPart, traceOf, treeText, type TraceSubject } from './trace/index.js';

/** What `harness.trace()` waits for beside the end of what has begun. */
export interface TraceOptions {
  /** Longest wait in milliseconds. Default: the harness's `timeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** Names of spans that must have ended; a name given twice is waited for twice. Default none. */
  readonly spans?: readonly string[] | undefined;
  /** Messages of records that must have been written, likewise. Default none. */
  readonly records?: readonly string[] | undefined;
}

/** What a lookup is made in. */
export interface LookupSources {
  readonly store: TraceStore;
  readonly hopLog: HopLog;
  readonly workers: readonly HarnessWorker[];
  /** Spans come from other processes too: when they are complete only their parents tell. */
  remote: boolean;
  /** Records of other processes are read too: they may come later than the spans. */
  readsLogs: boolean;
}

/** The trace of a subject as far as it is known now; undefined when nothing names it. */
export function traceNow(subject: TraceSubject, sources: LookupSources): HarnessTrace | undefined {
  const request = sources.hopLog.request(subject);
  return request.traceId === undefined ? undefined : assemble(request, request.traceId, sources);
}

/**
 * The trace of a subject once it is complete: its spans have ended, the HTTP response has closed, workers are through, every
 * request that was received is recorded as completed. Looks again whenever something happens, never in between.
 * @throws ERR_TRACE_TIMEOUT with `missing`; ERR_OPTION_INVALID for something that names no request
 */
export async function waitForTrace(subject: TraceSubject, sources: LookupSources, options: TraceOptions, timeoutMs: number, closed: AbortSignal): Promise<HarnessTrace> {
  const state = { late: false, wake: (): void => undefined };
  const look = (): void => state.wake();
  const unwatch = sources.store.watch(look);
  closed.addEventListener('abort', look);
  const timer = setTimeout(() => {
    state.late = true;
    look();
  }, timeoutMs);
  try {
    for (;;) {
      const request = sources.hopLog.request(subject);
      const missing = missingOf(request, sources, options);
      if (request.traceId !== undefined && missing.length === 0) return assemble(request, request.traceId, sources);
      if (closed.aborted) throw new DynamoTracingError('ERR_HARNESS_CLOSED', 'the harness was closed while a trace was waited for');
      if (state.late) throw timedOut(request, missing, sources, timeoutMs);
      await new Promise<void>((resolve) => (state.wake = resolve));
    }
  } finally {
    clearTimeout(timer);
    unwatch();
    closed.removeEventListener('abort', look);
  }
}

function timedOut({ traceId }: CorrelatedRequest, missing: readonly string[], { store }: LookupSources, timeoutMs: number): DynamoTracingError {
  const seen = `seen of trace ${traceId ?? '(unknown)'}:\n${treeText(buildTree(traceId === undefined ? [] : store.spansOf(traceId)))}`;
  return new DynamoTracingError('ERR_TRACE_TIMEOUT', `the trace was not complete within ${timeoutMs} ms; missing:\n${missing.map((what) => `  - ${what}`).join('\n')}\n${seen}`, { missing, timeoutMs, traceId });
}

/** Everything that a trace still waits for. */
function missingOf(request: CorrelatedRequest, sources: LookupSources, options: TraceOptions): string[] {
  const { traceId, inbound } = request;
  const { store } = sources;
  if (traceId === undefined) return ['anything that names the trace: no header of the response, span, record or hop of this request does'];
  const spans = store.spansOf(traceId);
  const missing = store.openSpansOf(traceId).map(({ name, spanId }) => `the end of span ${name} (${spanId})`);
  if (spans.length === 0 && missing.length === 0) missing.push(`any span of trace ${traceId}${sampledOut(request)}`);
  if (inbound !== undefined && !inbound.finished) missing.push(`the end of the HTTP response to ${inbound.method} ${inbound.url}`);
  for (const { name, running } of sources.workers) for (const call of running) if (call.traceId === traceId || isPartOf(call.requestId, request)) missing.push(`the end of request ${call.requestId} in worker ${name}`);
  const records = recordsOf(request, store);
  missing.push(...missingCompletions(records, sources.readsLogs ? spans : []));
  if (sources.remote) missing.push(...missingParents(request, spans));
  missing.push(...absent(options.spans, spans.map(({ name }) => name)).map((name) => `a span ${name}`));
  missing.push(...absent(options.records, records.map(({ message }) => message)).map((message) => `a record "${message}"`));
  return missing;
}

/** Those of `wanted` that are not in `seen`, each as often as it is wanted. */
function absent(wanted: readonly string[] = [], seen: readonly string[]): string[] {
  const left = [...seen];
  return wanted.filter((name) => {
    const at = left.indexOf(name);
    if (at !== -1) left.splice(at, 1);
    return at === -1;
  });
}

function sampledOut({ sent, inbound }: CorrelatedRequest): string {
  const flags = (inbound?.received ?? sent)?.['traceparent']?.slice(-2);
  return flags === '00' ? ' (its traceparent says that it is not sampled: flags 00)' : '';
}

/** Each request that was received has a record of its completion, of the same span; so has a gateway's span that says how its request went. */
function missingCompletions(records: readonly CapturedRecord[], spans: readonly FinishedSpan[]): string[] {
  const completed = new Set(records.filter(({ message }) => message === 'request completed').map(({ spanId }) => spanId));
  const received = records.filter(({ message, spanId }) => message === 'request received' && !completed.has(spanId));
  const ended = spans.filter(({ name, spanId, attributes }) => name === 'http-request' && attributes['request.outcome'] !== undefined && !completed.has(spanId));
  return [
    ...received.map(({ fields }) => `the record "request completed" of ${typeof fields['span_name'] === 'string' ? fields['span_name'] : 'a request'}`),
    ...ended.map(({ spanId }) => `the record "request completed" of http-request (${spanId}) in the logs that are read: JSON lines at level info`),
  ];
}

/** Exporters send children before their parents: a trace is whole when it has a root and nobody's parent is missing. */
function missingParents({ callerSpanId, hops, sent: asked }: CorrelatedRequest, spans: readonly FinishedSpan[]): string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const orphans = spans.filter(({ parentSpanId }) => parentSpanId !== undefined && !ids.has(parentSpanId) && parentSpanId !== callerSpanId);
  const senders = new Set(hops.map(({ sent }) => traceOf(sent)?.spanId));
  // What the client sent may not be known: then the one span that continues something outside is the root.
  const isRoot = ({ parentSpanId, parentIsRemote }: FinishedSpan): boolean => asked === undefined && parentIsRemote !== false && !senders.has(parentSpanId);
  return (orphans.length === 1 ? orphans.filter((span) => !isRoot(span)) : orphans).map(({ name, parentSpanId }) => `the parent ${parentSpanId ?? ''} of span ${name}`);
}

function assemble(request: CorrelatedRequest, traceId: string, sources: LookupSources): HarnessTrace {
  const { store } = sources;
  const { requestId, callerSpanId } = request;
  const strays = store.spans.filter((span) => isPartOf(span.attributes['request_id'], request) && span.traceId !== traceId);
  const requestIdsOnHops = request.hops.flatMap(({ name, sent }) => {
    const id = sent?.['request-id'];
    return id === undefined ? [] : [{ id, who: name }];
  });
  return new HarnessTrace({ traceId, requestId, callerSpanId, spans: store.spansOf(traceId), records: recordsOf(request, store), strays, requestIdsOnHops });
}

function isPartOf(id: unknown, { requestId }: CorrelatedRequest): boolean {
  return typeof id === 'string' && requestId !== undefined && isIdOrPart(id, requestId);
}

function recordsOf(request: CorrelatedRequest, store: TraceStore): CapturedRecord[] {
  const ids = new Set([request.requestId, ...idsOf(request.inbound?.received)].filter((id) => id !== undefined));
  return store.records.filter(({ traceId, requestId, fields }) => (traceId !== undefined && traceId === request.traceId) || (requestId !== undefined ? isPartOf(requestId, request) : typeof fields['x_request_id'] === 'string' && ids.has(fields['x_request_id'])));
}
