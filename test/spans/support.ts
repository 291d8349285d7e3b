import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor, type ReadableSpan, type TracerConfig } from '@opentelemetry/sdk-trace-base';
import { TargetFilter } from '../../src/internal/index.js';
import type { AttributeSet, SpanSettings } from '../../src/spans/index.js';

export interface Sdk {
  /** Spans that have ended, in that order. */
  ended(): ReadableSpan[];
  stop(): void;
}

/** A real SDK with a context manager, registered globally until `stop`. */
export function startSdk(config: TracerConfig = {}): Sdk {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ ...config, spanProcessors: [new SimpleSpanProcessor(exporter)] });
  trace.setGlobalTracerProvider(provider);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return {
    ended: () => exporter.getFinishedSpans(),
    stop: () => {
      trace.disable();
      context.disable();
    },
  };
}

export function settings(directives = '', attributes: AttributeSet = 'dynamo'): SpanSettings {
  return { filter: new TargetFilter(directives), attributes };
}

export const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
export const SPAN_ID = 'b7ad6b7169203331';
export const REQUEST_ID = '6b3f2a60-3f0e-4f0e-9d55-1c1a6f0f3b11';
