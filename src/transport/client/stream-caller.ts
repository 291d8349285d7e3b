import type { Context } from '@opentelemetry/api';
import { failureOf } from '../../errors/index.js';
import { unixNanos } from '../../internal/index.js';
import { RECORD_TARGETS } from '../../logging/index.js';
import { encodeControlMessage, encodeTwoPart, payloadCodec, type RequestHeaders } from '../../protocol/index.js';
import { SPANS, startSpan, type SpanSettings, type TracedSpan } from '../../spans/index.js';
import { activeContext, currentTraceContext, getTraceScope, headersOf, newRequestId, SAMPLED, type TraceHeaders } from '../../trace-context/index.js';
import { isAborted } from '../abort.js';
import { callDuration } from '../deadline.js';
import { cancelled, DONE, endOf } from '../endings.js';
import { ResponsePlane, type Peer } from '../response/response-plane.js';
import type { CallSettings } from '../settings.js';
import type { RequestDispatch, ResponseStream, SendOptions, StreamClient, StreamEnd, StreamOptions } from '../types.js';

/**
 * An envelope of at most so many bytes is written as one piece: its three parts would cost more to hand to the system than
 * to copy. The payloads that matter are far larger and are never copied.
 */
const COALESCE_BELOW = 1024;

const A_WORKER: Peer = { calledHome: true, onCall: () => undefined };

/** Streamed calls over a request plane: announces a response, sends the request, hands out the stream. A plane adds how it sends. */
export abstract class StreamCaller implements StreamClient, RequestDispatch {
  readonly #responses: ResponsePlane;
  readonly #settings: CallSettings;

  constructor(settings: CallSettings) {
    this.#settings = settings;
    this.#responses = new ResponsePlane(settings);
  }

  /** Sends one request and waits for its ack: the request plane alone, for payloads made elsewhere. Throws as {@link RequestDispatch.send}. */
  abstract send(address: string, headers: RequestHeaders, payloadParts: readonly Uint8Array[], options?: SendOptions): Promise<void>;

  /** Who has the address. Over NATS it is a worker: a subject is nobody else's. */
  protected peerOf(_address: string): Peer {
    return A_WORKER;
  }

  /** Calls an endpoint inside a `client_request` span, begun at the first `next` and ended with the stream. Throws as `openStream` and {@link ResponseStream} do. */
  generate<T = unknown>(address: string, request: unknown, options: StreamOptions = {}): AsyncIterableIterator<T, undefined, undefined> {
    return new GeneratedStream<T>(this, this.#settings.attributes, address, request, { ...options, context: options.context ?? activeContext() });
  }

  async openStream<T = unknown>(address: string, request: unknown, options: StreamOptions = {}): Promise<ResponseStream<T>> {
    const { signal, context = activeContext(), annotated = false, engineErrors = false, metadata = {} } = options;
    if (isAborted(signal)) throw cancelled(signal);
    const { logger, maxMessageSize, prologueTimeoutMs, inactivityTimeoutMs } = this.#settings;
    const prologueWithinMs = callDuration(options.prologueTimeoutMs, prologueTimeoutMs, 'prologueTimeoutMs');
    const codec = payloadCodec(options.codec ?? 'json');
    const body = codec.encode(request);
    const requestId = options.requestId ?? getTraceScope(context)?.requestId ?? newRequestId();
    const registration = await this.#responses.register<T>(requestId, signal, {
      codec,
      annotated,
      engineErrors,
      inactivityTimeoutMs: callDuration(options.inactivityTimeoutMs, inactivityTimeoutMs, 'inactivityTimeoutMs'),
      onBadFrame: (error) => logger.emit('warn', RECORD_TARGETS.transport, 'a response frame could not be read', { error_detail: error.message, request_id: requestId }),
    }, this.peerOf(address));
    try {
      const { connectionInfo } = registration;
      const control = encodeControlMessage({ id: requestId, requestType: 'single_in', responseType: 'many_out', payloadCodec: codec.name, connectionInfo, metadata });
      const envelope = encodeTwoPart(control, body, { maxSize: maxMessageSize, coalesceBelow: COALESCE_BELOW });
      await this.send(address, requestHeaders(requestId, context, options.headers), envelope, { signal, timeoutMs: options.requestTimeoutMs });
      registration.expectWithin(prologueWithinMs);
      return await registration.opened;
    } catch (error) {
      registration.cancel(error);
      throw error;
    }
  }

  /** Fails what is in flight with ERR_CLIENT_CLOSED, kills open streams and closes every socket of its own. Settles when all are closed. */
  close(): Promise<void> {
    return this.#responses.close();
  }
}

/** What goes with a request, in Dynamo's order; `request-id` is always the engine context id. */
function requestHeaders(requestId: string, context: Context, extra: RequestHeaders | undefined): RequestHeaders {
  return { ...extra, ...wireTraceHeaders(context), 'request-id': requestId, 'x-frontend-send-ts-ns': unixNanos() };
}

/**
 * The trace headers as running Dynamo reads them: `traceparent` with the sampled flag and no other. Workers of 1.5 and 1.6 know
 * the flags 00 and 01 only and begin a new trace for the rest, on TCP and NATS alike, so the random flag of W3C level 2 stays
 * behind here. HTTP keeps it.
 */
function wireTraceHeaders(context: Context): TraceHeaders {
  const current = currentTraceContext(context);
  return headersOf(current === undefined || current.traceFlags <= SAMPLED ? current : { ...current, traceFlags: current.traceFlags & SAMPLED });
}

/** A response stream inside a `client_request` span that begins with the first `next` and ends with the stream. */
class GeneratedStream<T> implements AsyncIterableIterator<T, undefined, undefined> {
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
      endSpan(span, endOf(error));
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
