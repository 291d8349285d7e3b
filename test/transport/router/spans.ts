import { context, trace, type SpanStatus } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor, type ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { LogEntry } from '../../../src/logging/index.js';
import { onRecord } from '../../../src/logging/index.js';

export interface SeenSpan {
  readonly status: SpanStatus;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { readonly name: string; readonly attributes: unknown }[];
  readonly span: ReadableSpan;
}

export interface Recorded {
  /** Finished spans of that name, in the order they began. */
  spans(name?: string): readonly SeenSpan[];
  /** Lines about attempts, in the order they were written. */
  readonly lines: readonly LogEntry[];
}

/** Registers an SDK for the test file, cleared after each test. */
export function recordSpans(): Recorded {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const lines: LogEntry[] = [];
  let silence: (() => void) | undefined;
  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(provider);
    silence = onRecord((entry) => {
      if (/route request|before worker dispatch/.test(entry.message)) lines.push(entry);
    });
  });
  afterEach(() => {
    exporter.reset();
    lines.length = 0;
  });
  afterAll(async () => {
    silence?.();
    trace.disable();
    context.disable();
    await provider.shutdown();
  });
  return { lines, spans: (name = 'router.route_request') => exporter.getFinishedSpans().filter((span) => span.name === name).map(seen).sort((a, b) => begun(a) - begun(b)) };
}

function seen(span: ReadableSpan): SeenSpan {
  return { status: span.status, attributes: span.attributes, events: span.events.map(({ name, attributes }) => ({ name, attributes })), span };
}

function begun({ span }: SeenSpan): number {
  return span.startTime[0] * 1e6 + span.startTime[1] / 1e3;
}
