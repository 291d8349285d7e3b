import type { CapturedRecord } from './captured-record.js';
import type { FinishedSpan, StartedSpan } from './finished-span.js';
import type { SpanListener } from './span-tap.js';

/** Spans and records kept for one harness; what is older goes first. */
const MAX_KEPT = 100_000;

/** Everything one harness has received, by trace. Tells its watchers when something is added. */
export class TraceStore implements SpanListener {
  readonly #open = new Map<string, StartedSpan>();
  readonly #spans: FinishedSpan[] = [];
  readonly #records: CapturedRecord[] = [];
  readonly #watchers = new Set<() => void>();

  started(span: StartedSpan): void {
    this.#open.set(keyOf(span), span);
    this.changed();
  }

  ended(span: FinishedSpan): void {
    this.#open.delete(keyOf(span));
    keep(this.#spans, span);
    this.changed();
  }

  record(record: CapturedRecord): void {
    keep(this.#records, record);
    this.changed();
  }

  /** Spans that have ended, in the order they ended. */
  get spans(): readonly FinishedSpan[] {
    return this.#spans;
  }

  get records(): readonly CapturedRecord[] {
    return this.#records;
  }

  spansOf(traceId: string): FinishedSpan[] {
    return this.#spans.filter((span) => span.traceId === traceId);
  }

  openSpansOf(traceId: string): StartedSpan[] {
    return [...this.#open.values()].filter((span) => span.traceId === traceId);
  }

  /** Spans of a trace that this process made or was told of, open ones included. */
  knownSpansOf(traceId: string): StartedSpan[] {
    return [...this.spansOf(traceId), ...this.openSpansOf(traceId)];
  }

  /** Runs `watcher` after every addition until the returned function is called. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** Something that waiters may wait for has happened. */
  changed(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

function keyOf(span: StartedSpan): string {
  return `${span.traceId}/${span.spanId}`;
}

/** Appends to a list that keeps `most` items. */
export function keep<T>(list: T[], item: T, most = MAX_KEPT): void {
  list.push(item);
  if (list.length > most) list.shift();
}
