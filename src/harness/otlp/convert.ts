import { DynamoTracingError } from '../../errors/index.js';
import { kindName, recordOfFields, statusName, type CapturedRecord, type FinishedSpan, type SpanAttribute } from '../record/index.js';

// OTLP in its JSON encoding; the protobuf reader gives the same. Every field may be missing.
interface AnyValue {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string | number;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values?: readonly AnyValue[] };
  readonly kvlistValue?: { readonly values?: readonly KeyValue[] };
  readonly bytesValue?: string;
}
interface KeyValue { readonly key?: string; readonly value?: AnyValue }
interface Resource { readonly attributes?: readonly KeyValue[] }
interface OtlpSpan {
  readonly traceId?: string;
  readonly spanId?: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name?: string;
  readonly kind?: number | string;
  readonly startTimeUnixNano?: string | number;
  readonly endTimeUnixNano?: string | number;
  readonly attributes?: readonly KeyValue[];
  readonly events?: readonly { readonly name?: string; readonly timeUnixNano?: string | number; readonly attributes?: readonly KeyValue[] }[];
  readonly links?: readonly { readonly traceId?: string; readonly spanId?: string; readonly attributes?: readonly KeyValue[] }[];
  readonly status?: { readonly code?: number | string; readonly message?: string };
  readonly flags?: number;
}
interface OtlpLog { readonly severityText?: string; readonly body?: AnyValue; readonly attributes?: readonly KeyValue[]; readonly traceId?: string; readonly spanId?: string; readonly timeUnixNano?: string | number }
export interface TracesRequest { readonly resourceSpans?: readonly { readonly resource?: Resource; readonly scopeSpans?: readonly { readonly scope?: { readonly name?: string }; readonly spans?: readonly OtlpSpan[] }[] }[] }
export interface LogsRequest { readonly resourceLogs?: readonly { readonly resource?: Resource; readonly scopeLogs?: readonly { readonly logRecords?: readonly OtlpLog[] }[] }[] }

/** OTLP numbers kinds from 1, the SDK from 0. */
const KIND_NAMES: Readonly<Record<string, number>> = { SPAN_KIND_INTERNAL: 1, SPAN_KIND_SERVER: 2, SPAN_KIND_CLIENT: 3, SPAN_KIND_PRODUCER: 4, SPAN_KIND_CONSUMER: 5 };
const STATUS_NAMES: Readonly<Record<string, number>> = { STATUS_CODE_OK: 1, STATUS_CODE_ERROR: 2 };
const HAS_REMOTE = 0x100;
const IS_REMOTE = 0x200;

/** The spans of an export request. @throws ERR_MESSAGE_INVALID */
export function spansOf(request: TracesRequest): FinishedSpan[] {
  return read(() => (request.resourceSpans ?? []).flatMap(({ resource, scopeSpans = [] }) => {
    const service = serviceOf(resource);
    return scopeSpans.flatMap(({ scope, spans = [] }) => spans.map((span) => finishedSpan(span, scope?.name ?? '', service)));
  }));
}

/** JSON from any program may have any shape and depth: the types above promise nothing. */
function read<T>(convert: () => T): T {
  try {
    return convert();
  } catch (cause) {
    throw new DynamoTracingError('ERR_MESSAGE_INVALID', 'the export request is not what OTLP allows', { cause });
  }
}

function finishedSpan(span: OtlpSpan, tracer: string, service: string | undefined): FinishedSpan {
  const startMs = millis(span.startTimeUnixNano);
  const kind = typeof span.kind === 'string' ? (KIND_NAMES[span.kind] ?? 1) : (span.kind ?? 1);
  const code = typeof span.status?.code === 'string' ? (STATUS_NAMES[span.status.code] ?? 0) : (span.status?.code ?? 0);
  const flags = span.flags ?? 0;
  return {
    name: span.name ?? '',
    traceId: (span.traceId ?? '').toLowerCase(),
    spanId: (span.spanId ?? '').toLowerCase(),
    parentSpanId: span.parentSpanId === undefined || span.parentSpanId === '' ? undefined : span.parentSpanId.toLowerCase(),
    parentIsRemote: (flags & HAS_REMOTE) === 0 ? undefined : (flags & IS_REMOTE) !== 0,
    kind: kindName(Math.max(kind - 1, 0)),
    status: statusName(code),
    statusMessage: span.status?.message,
    attributes: attributesOf(span.attributes),
    events: (span.events ?? []).map(({ name = '', timeUnixNano, attributes }) => ({ name, timeMs: millis(timeUnixNano), attributes: attributesOf(attributes) })),
    links: (span.links ?? []).map(({ traceId = '', spanId = '', attributes }) => ({ traceId, spanId, attributes: attributesOf(attributes) })),
    startMs,
    durationMs: millis(span.endTimeUnixNano) - startMs,
    tracestate: span.traceState === '' ? undefined : span.traceState,
    tracer,
    service,
  };
}

/** The log records of an export request. @throws ERR_MESSAGE_INVALID */
export function recordsOf(request: LogsRequest): CapturedRecord[] {
  return read(() => (request.resourceLogs ?? []).flatMap(({ resource, scopeLogs = [] }) => {
    const service = serviceOf(resource);
    return scopeLogs.flatMap(({ logRecords = [] }) => logRecords.map((log) => ({ ...recordOfLog(log), service })));
  }));
}

function recordOfLog({ severityText = 'info', body, attributes, traceId, spanId, timeUnixNano }: OtlpLog): CapturedRecord {
  const ids = { ...(traceId ? { trace_id: traceId.toLowerCase() } : {}), ...(spanId ? { span_id: spanId.toLowerCase() } : {}) };
  return recordOfFields({ ...attributesOf(attributes), ...ids, level: severityText, message: body === undefined ? '' : valueOf(body), time: timeUnixNano === undefined ? undefined : millis(timeUnixNano) });
}

function serviceOf(resource: Resource | undefined): string | undefined {
  const service = attributesOf(resource?.attributes)['service.name'];
  return typeof service === 'string' ? service : undefined;
}

function attributesOf(pairs: readonly KeyValue[] = []): Record<string, SpanAttribute> {
  return Object.fromEntries(pairs.map(({ key = '', value }) => [key, value === undefined ? undefined : valueOf(value)]));
}

function valueOf(value: AnyValue): SpanAttribute {
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.boolValue !== undefined) return value.boolValue;
  if (value.intValue !== undefined) return integer(value.intValue);
  if (value.doubleValue !== undefined) return value.doubleValue;
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(valueOf);
  if (value.kvlistValue !== undefined) return attributesOf(value.kvlistValue.values);
  return value.bytesValue;
}

/** OTLP's 64-bit integers are text; ids of workers do not fit a number. */
function integer(given: string | number): number | bigint {
  const value = Number(given);
  return Number.isSafeInteger(value) ? value : BigInt(given);
}

function millis(nanos: string | number | undefined): number {
  return nanos === undefined ? 0 : Number(BigInt(nanos) / 1000n) / 1000;
}
