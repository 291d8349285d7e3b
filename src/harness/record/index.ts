export { capturedRecord, recordOfFields, recordOfLine, type CapturedRecord } from './captured-record.js';
export { kindName, statusName, type FinishedSpan, type FinishedSpanEvent, type FinishedSpanLink, type SpanAttribute, type SpanKindName, type StartedSpan } from './finished-span.js';
export { tapSpans, type SpanListener } from './span-tap.js';
export { keep, TraceStore } from './trace-store.js';
