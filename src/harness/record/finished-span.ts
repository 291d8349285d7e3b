/** Kind of a span, as OpenTelemetry names them. */
export type SpanKindName = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** A value of a span attribute as it was recorded. */
export type SpanAttribute = string | number | boolean | bigint | null | undefined | readonly unknown[] | Readonly<Record<string, unknown>>;

/** Something that happened inside a span. */
export interface FinishedSpanEvent {
  readonly name: string;
  /** Milliseconds since 1970, with fractions. */
  readonly timeMs: number;
  readonly attributes: Readonly<Record<string, SpanAttribute>>;
}

/** A span of another trace that a span points to. */
export interface FinishedSpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Readonly<Record<string, SpanAttribute>>;
}

/** A span that has ended, as the harness recorded it: of this process or received over OTLP. Depends on no SDK's types. */
export interface FinishedSpan {
  readonly name: string;
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits. */
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** The parent came over a hop, going by what the tracer said; undefined when it did not say. */
  readonly parentIsRemote: boolean | undefined;
  readonly kind: SpanKindName;
  readonly status: 'unset' | 'ok' | 'error';
  readonly statusMessage: string | undefined;
  readonly attributes: Readonly<Record<string, SpanAttribute>>;
  readonly events: readonly FinishedSpanEvent[];
  readonly links: readonly FinishedSpanLink[];
  /** Milliseconds since 1970, with fractions. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly tracestate: string | undefined;
  /** Name of the tracer that made it. */
  readonly tracer: string;
  /** `service.name` of its resource. */
  readonly service: string | undefined;
}

/** A span that has begun and may not have ended. */
export type StartedSpan = Pick<FinishedSpan, 'name' | 'traceId' | 'spanId' | 'parentSpanId' | 'parentIsRemote'> & {
  /** The request id that it names. */
  readonly requestId?: string | undefined;
};

/** What is read of an SDK's span: the same in the 2.x and 3.x lines. */
export interface ReadableSpanLike {
  readonly name: string;
  readonly kind?: number;
  spanContext(): { readonly traceId: string; readonly spanId: string; readonly traceFlags?: number; readonly traceState?: { serialize(): string } };
  readonly parentSpanContext?: { readonly spanId: string; readonly isRemote?: boolean };
  readonly parentSpanId?: string;
  readonly startTime?: readonly [number, number];
  readonly duration?: readonly [number, number];
  readonly status?: { readonly code: number; readonly message?: string };
  readonly attributes?: Readonly<Record<string, SpanAttribute>>;
  readonly events?: readonly { readonly name: string; readonly time: readonly [number, number]; readonly attributes?: Readonly<Record<string, SpanAttribute>> }[];
  readonly links?: readonly { readonly context: { readonly traceId: string; readonly spanId: string }; readonly attributes?: Readonly<Record<string, SpanAttribute>> }[];
  readonly resource?: { readonly attributes?: Readonly<Record<string, unknown>> };
  readonly instrumentationScope?: { readonly name: string };
  readonly instrumentationLibrary?: { readonly name: string };
}

const KINDS: readonly SpanKindName[] = ['internal', 'server', 'client', 'producer', 'consumer'];
const STATUSES = ['unset', 'ok', 'error'] as const;

/** The name of OpenTelemetry's numeric kind in the SDK's numbering (internal is 0). */
export function kindName(kind: number | undefined): SpanKindName {
  return KINDS[kind ?? 0] ?? 'internal';
}

/** The name of OpenTelemetry's numeric status code. */
export function statusName(code: number | undefined): FinishedSpan['status'] {
  return STATUSES[code ?? 0] ?? 'unset';
}

/** What is known of a span when it starts. */
export function startedSpan(span: ReadableSpanLike): StartedSpan {
  const id = span.attributes?.['request_id'];
  const { traceId, spanId } = span.spanContext();
  const { parentSpanContext: parent } = span;
  return { name: span.name, traceId, spanId, parentSpanId: parent?.spanId ?? span.parentSpanId, parentIsRemote: parent?.isRemote, requestId: typeof id === 'string' ? id : undefined };
}

/** A copy of an SDK's span that later changes cannot reach. */
export function finishedSpan(span: ReadableSpanLike): FinishedSpan {
  const service = span.resource?.attributes?.['service.name'];
  const { requestId: _, ...identity } = startedSpan(span);
  return {
    ...identity,
    kind: kindName(span.kind),
    status: statusName(span.status?.code),
    statusMessage: span.status?.message,
    attributes: { ...span.attributes },
    events: (span.events ?? []).map(({ name, time, attributes }) => ({ name, timeMs: millis(time), attributes: { ...attributes } })),
    links: (span.links ?? []).map(({ context, attributes }) => ({ traceId: context.traceId, spanId: context.spanId, attributes: { ...attributes } })),
    startMs: millis(span.startTime),
    durationMs: millis(span.duration),
    tracestate: span.spanContext().traceState?.serialize(),
    tracer: span.instrumentationScope?.name ?? span.instrumentationLibrary?.name ?? '',
    service: typeof service === 'string' ? service : undefined,
  };
}

function millis(time: readonly [number, number] | undefined): number {
  return time === undefined ? 0 : time[0] * 1000 + time[1] / 1e6;
}
