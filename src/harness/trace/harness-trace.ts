import type { CapturedRecord, FinishedSpan } from '../record/index.js';
import { buildTree, treeText, type SpanNode, type TreeOptions } from './tree.js';

/** What a trace is made of. */
export type TraceParts = Pick<HarnessTrace, 'traceId' | 'requestId' | 'callerSpanId' | 'spans' | 'records' | 'strays' | 'requestIdsOnHops'>;

/** Everything that was recorded of one request: spans, records, what went over its hops. A snapshot. */
export class HarnessTrace {
  readonly traceId: string;
  /** The request's canonical id, when it was learnt from a response, a span or a record. */
  readonly requestId: string | undefined;
  /** The span of the caller outside, as the client's `traceparent` names it. */
  readonly callerSpanId: string | undefined;
  /** Spans that have ended, in the order they started. */
  readonly spans: readonly FinishedSpan[];
  /** Records of this trace and of its request id, in the order they were written. */
  readonly records: readonly CapturedRecord[];
  /** Spans that name this request's id and stand in another trace. */
  readonly strays: readonly FinishedSpan[];
  /** Request ids that hops of this trace carried. */
  readonly requestIdsOnHops: readonly { readonly id: string; readonly who: string }[];

  constructor(parts: TraceParts) {
    this.traceId = parts.traceId;
    this.requestId = parts.requestId;
    this.callerSpanId = parts.callerSpanId;
    // Clocks of spans tick in milliseconds: of two that start in the same one, the outer lasts longer.
    this.spans = [...parts.spans].sort((a, b) => a.startMs - b.startMs || b.startMs + b.durationMs - (a.startMs + a.durationMs));
    this.records = parts.records;
    this.strays = parts.strays;
    this.requestIdsOnHops = parts.requestIdsOnHops;
  }

  get roots(): readonly SpanNode[] {
    return buildTree(this.spans);
  }

  /** The spans as indented text: what `toMatchTree` takes. */
  tree(options?: TreeOptions): string {
    return treeText(this.roots, options);
  }

  /** The first span of this name. */
  span(name: string): FinishedSpan | undefined {
    return this.spans.find((span) => span.name === name);
  }

  /** The records with this message. */
  recordsOf(message: string): readonly CapturedRecord[] {
    return this.records.filter((record) => record.message === message);
  }
}
