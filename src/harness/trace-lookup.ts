import { clearTimeout, setTimeout } from 'node:timers';
import { DynamoTracingError } from '../errors/index.js';
import type { HopLog, CorrelatedRequest } from './audit/index.js';
import type { CapturedRecord, FinishedSpan, TraceStore } from './record/index.js';
import { HarnessTrace, buildTree, idsOf, isIdOrPart, keysOf, traceOf, treeText, type TraceSubject } from './trace/index.js';

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
  /** Requests that workers of the harness are busy with: the worker's name and the request's ids. */
  running(): readonly { readonly worker: string; readonly requestId: string; readonly traceId: string }[];
  /** Spans come from other processes too: when they are complete only their parents tell. */
  remote(): boolean;
  /** Records of other processes are read too: they may come later than the spans. */
  readsLogs(): boolean;
}

/** @throws ERR_OPTION_INVALID for something that names no request */
export function checkSubject(subject: TraceSubject): void {
  keysOf(subject);
}

/** The trace of a subject as far as it is known now; undefined when nothing names it. */
export function traceNow(subject: TraceSubject, sources: LookupSources): HarnessTrace | undefined {
  const request = sources.hopLog.request(subject);
  return request.traceId === undefined ? undefined : assemble(request, request.traceId, sources);
}

/**
 * The trace of a subject once it is complete: its spans have ended, the HTTP response has closed, workers are through, every
 * request that was received is recorded as completed. Looks again whenever something happens, never in between.
 * @throws ERR_TRACE_TIMEOUT with `missing`
 */
export function waitForTrace(subject: TraceSubject, sources: LookupSources, options: TraceOptions, timeoutMs: number, closed: AbortSignal): Promise<HarnessTrace> {
  return new Promise((resolve, reject) => {
    const look = (): boolean => {
      const request = sources.hopLog.request(subject);
      if (request.traceId === undefined || missingOf(request, sources, options).length > 0) return false;
      finish();
      resolve(assemble(request, request.traceId, sources));
      return true;
    };
    const timeOut = (): void => {
      finish();
      reject(timedOut(subject, sources, options, timeoutMs));
    };
    const close = (): void => {
      finish();
      reject(new DynamoTracingError('ERR_HARNESS_CLOSED', 'the harness was closed while a trace was waited for'));
    };
    const unwatch = sources.store.watch(() => void look());
    const timer = setTimeout(timeOut, timeoutMs);
    const finish = (): void => {
      clearTimeout(timer);
      unwatch();
      closed.removeEventListener('abort', close);
    };
    closed.addEventListener('abort', close);
    look();
  });
}

function timedOut(subject: TraceSubject, sources: LookupSources, options: TraceOptions, timeoutMs: number): DynamoTracingError {
  const request = sources.hopLog.request(subject);
  const missing = missingOf(request, sources, options);
  const spans = request.traceId === undefined ? [] : sources.store.spansOf(request.traceId);
  const seen = `seen of trace ${request.traceId ?? '(unknown)'}:\n${treeText(buildTree(spans))}`;
  return new DynamoTracingError('ERR_TRACE_TIMEOUT', `the trace was not complete within ${timeoutMs} ms; missing:\n${missing.map((what) => `  - ${what}`).join('\n')}\n${seen}`, { missing, timeoutMs, traceId: request.traceId });
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
  for (const { worker, requestId, traceId: of } of sources.running()) if (of === traceId || isPartOf(requestId, request)) missing.push(`the end of request ${requestId} in worker ${worker}`);
  missing.push(...missingRecords(recordsOf(request, store)));
  if (sources.remote()) missing.push(...missingParents(request, sources), ...missingSpans(spans, recordsOf(request, store)));
  if (sources.readsLogs()) missing.push(...missingCompletions(spans, recordsOf(request, store)));
  missing.push(...absent(options.spans, spans.map(({ name }) => name)).map((name) => `a span ${name}`));
  missing.push(...absent(options.records, recordsOf(request, store).map(({ message }) => message)).map((message) => `a record "${message}"`));
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

/** Each request that was received must be completed: by the span that its records carry. */
function missingRecords(records: readonly CapturedRecord[]): string[] {
  const completed = new Set(records.filter(({ message }) => message === 'request completed').map(({ spanId }) => spanId));
  return records.filter(({ message, spanId }) => message === 'request received' && !completed.has(spanId)).map(({ fields }) => `the record "request completed" of ${typeof fields['span_name'] === 'string' ? fields['span_name'] : 'a request'}`);
}

/** A gateway's span that says how its request went has a record that says so too. */
function missingCompletions(spans: readonly FinishedSpan[], records: readonly CapturedRecord[]): string[] {
  const done = new Set(records.filter(({ message }) => message === 'request completed').map(({ spanId }) => spanId));
  return spans.filter(({ name, spanId, attributes }) => name === 'http-request' && attributes['request.outcome'] !== undefined && !done.has(spanId)).map(({ spanId }) => `the record "request completed" of http-request (${spanId}) in the logs that are read: JSON lines at level info`);
}

/** Records of a process that exports its spans name spans that are still to come, unless they are not sampled. */
function missingSpans(spans: readonly FinishedSpan[], records: readonly CapturedRecord[]): string[] {
  const there = new Set(spans.map(({ spanId }) => spanId));
  const awaited = records.filter(({ spanExported, spanId, traceId, fields }) => spanExported === true && spanId !== undefined && traceId === spans[0]?.traceId && fields['trace_flags'] !== '00' && !there.has(spanId));
  const names = new Map(awaited.map(({ spanId, fields, service }) => [spanId, `the span ${typeof fields['span_name'] === 'string' ? fields['span_name'] : ''} (${spanId ?? ''}) of ${service ?? 'a process'}`]));
  return [...names.values()];
}

/** Exporters send children before their parents: a trace is whole when it has a root and nobody's parent is missing. */
function missingParents({ traceId, callerSpanId, hops, sent: asked }: CorrelatedRequest, { store }: LookupSources): string[] {
  const spans = traceId === undefined ? [] : store.spansOf(traceId);
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
