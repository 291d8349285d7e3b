import type { Context } from '@opentelemetry/api';
import { failureOf, isDynamoTracingError } from '../../errors/index.js';
import { SPANS, startSpan, type SpanSettings, type TracedSpan } from '../../spans/index.js';
import { getTraceScope, newRequestId } from '../../trace-context/index.js';
import type { ResponseStream, StreamClient, StreamEnd, StreamOptions } from '../types.js';

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

/** A response stream inside a `client_request` span that begins with the first `next` and ends with the stream. */
export class GeneratedStream<T> implements AsyncIterableIterator<T, undefined, undefined> {
  #opening: Promise<ResponseStream<T>> | undefined;
  #stream: ResponseStream<T> | undefined;
  /** Nothing more is wanted, or the stream could not be opened. */
  #over = false;
  /** Let go once it has been sent: streams are open for long, and prompts are large. */
  #request: unknown;

  constructor(
    private readonly client: StreamClient,
    private readonly settings: SpanSettings,
    private readonly address: string,
    request: unknown,
    private readonly options: StreamOptions & { readonly context: Context },
  ) {
    this.#request = request;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#stream !== undefined) return this.#stream.next();
    if (this.#over) return Promise.resolve(DONE);
    this.#opening ??= this.#open();
    return this.#opening.then((stream) => stream.next());
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.#over = true;
    const stream = this.#stream ?? (await this.#opening?.catch(() => undefined));
    return stream?.return() ?? DONE;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #open(): Promise<ResponseStream<T>> {
    const { options } = this;
    const requestId = options.requestId ?? getTraceScope(options.context)?.requestId ?? newRequestId();
    const xRequestId = getTraceScope(options.context)?.xRequestId;
    const span = startSpan(SPANS.clientRequest, { settings: this.settings, parent: options.context, fields: { operation: 'generate', request_id: requestId, x_request_id: xRequestId }, identity: { requestId, xRequestId } });
    try {
      const stream = await this.client.openStream<T>(this.address, this.#request, { ...options, requestId, context: span.context });
      void stream.ended.then((end) => endSpan(span, end));
      this.#stream = stream;
      return stream;
    } catch (error) {
      this.#over = true;
      endSpan(span, isDynamoTracingError(error, 'ERR_CANCELLED') ? { outcome: 'cancelled', signal: 'kill' } : { outcome: 'error', error });
      throw error;
    } finally {
      this.#request = undefined;
    }
  }
}

/** A cancelled request is no failure: its status stays unset. */
function endSpan(span: TracedSpan, end: StreamEnd): void {
  if (end.outcome === 'cancelled') span.setRaw({ 'cancellation.signal': end.signal });
  if (end.outcome === 'error') span.fail(failureOf(end.error).errorType);
  span.end();
}
