import type { CapturedRecord, FinishedSpan } from '../record/index.js';
import { connectionProblems, treeRows, buildTree, type HarnessTrace } from '../trace/index.js';

/** A span on the time axis, with the records that were written in it. */
export interface TimelineRow {
  readonly span: FinishedSpan;
  /** How many spans of the trace stand above it. */
  readonly depth: number;
  /** The process or worker that it belongs to; undefined when the span does not say. */
  readonly place: string | undefined;
  /** Begin and length in parts of the whole axis, 0 to 1. */
  readonly left: number;
  readonly width: number;
  /** Why the trace is cut above this span; undefined when it is not. */
  readonly cut: string | undefined;
  readonly records: readonly TimelineRecord[];
}

/** A record, and when it was written in milliseconds from the begin of the axis; undefined when its line did not say. */
export interface TimelineRecord {
  readonly record: CapturedRecord;
  readonly afterMs: number | undefined;
  readonly left: number | undefined;
}

/** A trace laid out on one time axis. */
export interface Timeline {
  readonly totalMs: number;
  readonly rows: readonly TimelineRow[];
  readonly ticks: readonly { readonly ms: number; readonly left: number }[];
  /** All records, the earliest first; those without a time stand behind the others. */
  readonly records: readonly TimelineRecord[];
  /** What keeps the trace from being one. */
  readonly problems: readonly string[];
}

/** Most ticks of an axis. */
const MAX_TICKS = 6;

export function timelineOf(trace: HarnessTrace): Timeline {
  const spans = [...trace.spans, ...trace.strays];
  const start = spans.reduce((least, { startMs }) => Math.min(least, startMs), Number.POSITIVE_INFINITY);
  const end = spans.reduce((most, { startMs, durationMs }) => Math.max(most, startMs + durationMs), Number.NEGATIVE_INFINITY);
  const totalMs = spans.length === 0 ? 0 : end - start;
  const at = (ms: number): number => (totalMs === 0 ? 0 : Math.min(Math.max((ms - start) / totalMs, 0), 1));
  const records = trace.records.map((record): TimelineRecord => ({
    record,
    afterMs: record.timeMs === undefined || spans.length === 0 ? undefined : record.timeMs - start,
    left: record.timeMs === undefined || spans.length === 0 ? undefined : at(record.timeMs),
  })).sort((a, b) => (a.afterMs ?? Number.POSITIVE_INFINITY) - (b.afterMs ?? Number.POSITIVE_INFINITY) || 0);
  const rowOf = ({ span, depth }: { span: FinishedSpan; depth: number }, cut: string | undefined): TimelineRow => ({
    span, depth, cut,
    place: placeOf(span),
    left: at(span.startMs),
    width: totalMs === 0 ? 1 : span.durationMs / totalMs,
    records: records.filter(({ record }) => record.spanId === span.spanId),
  });
  const rows = treeRows(trace.roots).map((row, i) => rowOf(row, row.depth === 0 && i > 0 ? `its parent ${row.span.parentSpanId ?? '(none)'} is not in this trace` : undefined));
  const strays = treeRows(buildTree(trace.strays)).map((row) => rowOf(row, row.depth === 0 ? `it is in another trace, ${row.span.traceId}` : undefined));
  return { totalMs, rows: [...rows, ...strays], ticks: ticksOf(totalMs).map((ms) => ({ ms, left: totalMs === 0 ? 0 : ms / totalMs })), records, problems: spans.length === 0 ? [] : connectionProblems(trace) };
}

/** The service that exported a span, and the endpoint that a worker served. */
function placeOf({ service, attributes }: FinishedSpan): string | undefined {
  const parts = [attributes['namespace'], attributes['component'], attributes['endpoint']].filter((part) => typeof part === 'string');
  // What the SDK calls a process that has no name.
  const named = service?.startsWith('unknown_service') === true ? undefined : service;
  return [named, parts.length === 3 ? parts.join('.') : undefined].filter((place) => place !== undefined).join(' · ') || undefined;
}

/** Round times from 0 to `totalMs`: steps of 1, 2 or 5 times a power of ten. */
function ticksOf(totalMs: number): number[] {
  if (!(totalMs > 0)) return [0];
  const rough = totalMs / MAX_TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  return Array.from({ length: Math.floor(totalMs / step) + 1 }, (_, i) => i * step);
}

/** A time for people: two digits that say something. */
export function msText(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms >= 100 || Number.isInteger(ms) ? ms.toFixed(0) : ms >= 1 ? ms.toFixed(1) : ms.toFixed(2)} ms`;
}

/** Text of requests goes into the picture: nothing of it may be markup. */
export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`).replace(/[\p{Cc}\p{Bidi_C}\uFFFE\uFFFF]/gu, (c) => (c === '\n' || c === '\t' ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
}
