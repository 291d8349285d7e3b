import type { ContextManager, TracerProvider } from '@opentelemetry/api';
import { DynamoTracingError } from '../../errors/index.js';
import { findPackage } from '../../internal/index.js';
import { AsyncContextManager } from '../../trace-context/index.js';
import type { ReadableSpanLike } from './finished-span.js';

/** A span processor by its shape: the same in the 2.x and 3.x lines of the SDK. */
export interface SpanProcessorLike {
  onStart(span: ReadableSpanLike, parentContext?: unknown): void;
  onEnd(span: ReadableSpanLike): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

type ProviderClass = new (config: { readonly spanProcessors: readonly SpanProcessorLike[]; readonly sampler: unknown }) => TracerProvider;

interface SdkModule {
  readonly BasicTracerProvider?: ProviderClass;
  readonly TracerProvider?: ProviderClass;
  readonly ParentBasedSampler: new (config: { readonly root: unknown }) => unknown;
  readonly AlwaysOnSampler: new () => unknown;
}

/** SDK packages in the order they are looked for: the 2.x line, then the 3.x line. */
export const SDK_PACKAGES: readonly string[] = ['@opentelemetry/sdk-trace-base', '@opentelemetry/sdk-trace'];

/**
 * A provider that gives every span to `processor`. It samples what its parent samples and every root, whatever OTEL_TRACES_*
 * says: a test must not depend on the environment of the one who runs it.
 * @throws ERR_DEPENDENCY_MISSING when no SDK is installed
 */
export function makeProvider(processor: SpanProcessorLike, packages: readonly string[] = SDK_PACKAGES): TracerProvider {
  const sdk = findPackage(packages) as SdkModule | undefined;
  const Provider = sdk?.BasicTracerProvider ?? sdk?.TracerProvider;
  if (sdk === undefined || Provider === undefined) {
    throw new DynamoTracingError('ERR_DEPENDENCY_MISSING', `the harness records spans with an OpenTelemetry SDK: npm install --save-dev ${SDK_PACKAGES[0] ?? ''}`, { package: SDK_PACKAGES[0] });
  }
  return new Provider({ spanProcessors: [processor], sampler: new sdk.ParentBasedSampler({ root: new sdk.AlwaysOnSampler() }) });
}

/** OpenTelemetry's own context manager when it is installed, else the harness's. */
export function makeContextManager(): ContextManager {
  const found = findPackage(['@opentelemetry/context-async-hooks']) as { AsyncLocalStorageContextManager?: new () => ContextManager } | undefined;
  return found?.AsyncLocalStorageContextManager === undefined ? new AsyncContextManager() : new found.AsyncLocalStorageContextManager();
}
