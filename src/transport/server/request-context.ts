import { DynamoTracingError } from '../../errors/index.js';
import { createRequestLogger, type Log, type RequestLogger } from '../../logging/index.js';
import type { RequestHeaders } from '../../protocol/index.js';
import type { TracedSpan } from '../../spans/index.js';
import { currentTraceContext, traceHeaders, type DistributedTraceContext, type TraceHeaders } from '../../trace-context/index.js';
import type { RequestContext } from '../types.js';
import type { EndpointEntry } from './endpoint-entry.js';

/** What a handler gets. The signal and the logger are made when they are first asked for. */
export class WorkerRequestContext implements RequestContext {
  readonly namespace: string;
  readonly component: string;
  readonly endpoint: string;
  readonly instanceId: bigint;
  #controller: AbortController | undefined;
  #log: RequestLogger | undefined;
  #stopped = false;
  #killed = false;

  constructor(
    readonly requestId: string,
    readonly xRequestId: string | undefined,
    readonly headers: RequestHeaders,
    readonly metadata: Readonly<Record<string, string>>,
    entry: EndpointEntry,
    private readonly span: TracedSpan,
    private readonly recorder: Log,
  ) {
    ({ namespace: this.namespace, component: this.component, endpoint: this.endpoint, instanceId: this.instanceId } = entry);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#stopped) this.#abort();
    }
    return this.#controller.signal;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  get killed(): boolean {
    return this.#killed;
  }

  get trace(): DistributedTraceContext {
    return currentTraceContext(this.span.context) ?? this.span.scope;
  }

  get log(): RequestLogger {
    return (this.#log ??= createRequestLogger(this.recorder, this.span.context));
  }

  traceHeaders(): TraceHeaders {
    return traceHeaders(this.span.context);
  }

  /** @internal The caller wants no more, or nothing any more. */
  cancel(signal: 'stop' | 'kill'): void {
    this.#killed ||= signal === 'kill';
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#controller !== undefined) this.#abort();
  }

  #abort(): void {
    this.#controller?.abort(new DynamoTracingError('ERR_CANCELLED', 'the caller cancelled the request', { signal: this.#killed ? 'kill' : 'stop' }));
  }
}
