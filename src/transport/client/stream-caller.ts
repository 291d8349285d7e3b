import type { Context } from '@opentelemetry/api';
import { DynamoTracingError } from '../../errors/index.js';
import { unixNanos } from '../../internal/index.js';
import { RECORD_TARGETS, type Log } from '../../logging/index.js';
import { encodeControlMessage, encodeTwoPart, payloadCodec, type PayloadCodec, type RequestHeaders, type TcpStreamConnectionInfo } from '../../protocol/index.js';
import type { SpanSettings } from '../../spans/index.js';
import { activeContext, currentTraceContext, getTraceScope, headersOf, newRequestId, SAMPLED, type TraceHeaders } from '../../trace-context/index.js';
import { callDuration } from '../deadline.js';
import type { Registration } from '../response/registration.js';
import type { ResponsePlane } from '../response/response-plane.js';
import type { RequestDispatch, ResponseStream, StreamClient, StreamOptions } from '../types.js';
import { GeneratedStream } from './generated-stream.js';

export interface StreamCallerSettings {
  readonly logger: Log;
  readonly attributes: SpanSettings;
  readonly maxMessageSize: number;
  readonly prologueTimeoutMs: number;
  readonly inactivityTimeoutMs: number;
}

/**
 * An envelope of at most so many bytes is written as one piece: its three parts would cost more to hand to the system than
 * to copy. The payloads that matter are far larger and are never copied.
 */
const COALESCE_BELOW = 1024;

/** Streamed calls over any request plane: announces a response, sends the request, hands out the stream. */
export class StreamCaller implements StreamClient {
  constructor(
    private readonly dispatch: RequestDispatch,
    private readonly responses: ResponsePlane,
    private readonly settings: StreamCallerSettings,
  ) {}

  async openStream<T = unknown>(address: string, request: unknown, options: StreamOptions = {}): Promise<ResponseStream<T>> {
    const { signal, context = activeContext() } = options;
    throwIfAborted(signal);
    const prologueTimeoutMs = callDuration(options.prologueTimeoutMs, this.settings.prologueTimeoutMs, 'prologueTimeoutMs');
    const codec = payloadCodec(options.codec ?? 'json');
    const body = codec.encode(request);
    const requestId = options.requestId ?? getTraceScope(context)?.requestId ?? newRequestId();
    const registration = await this.#register<T>(requestId, codec, options);
    const onAbort = (): void => registration.cancel(cancelled(signal));
    signal?.addEventListener('abort', onAbort);
    try {
      throwIfAborted(signal);
      const parts = this.#envelope(registration.connectionInfo, codec, body, options.metadata ?? {});
      await this.dispatch.send(address, requestHeaders(requestId, context, options.headers), parts, { signal, timeoutMs: options.requestTimeoutMs });
      registration.expectWithin(prologueTimeoutMs);
      return await registration.opened;
    } catch (error) {
      registration.cancel(error);
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** The same inside a `client_request` span, begun when the first item is asked for. */
  generate<T = unknown>(address: string, request: unknown, options: StreamOptions = {}): AsyncIterableIterator<T, undefined, undefined> {
    return new GeneratedStream<T>(this, this.settings.attributes, address, request, { ...options, context: options.context ?? activeContext() });
  }

  async #register<T>(requestId: string, codec: PayloadCodec, options: StreamOptions): Promise<Registration<T>> {
    return this.responses.register<T>(requestId, {
      codec,
      annotated: options.annotated ?? false,
      engineErrors: options.engineErrors ?? false,
      signal: options.signal,
      inactivityTimeoutMs: callDuration(options.inactivityTimeoutMs, this.settings.inactivityTimeoutMs, 'inactivityTimeoutMs'),
      onBadFrame: (error) => this.settings.logger.emit('warn', RECORD_TARGETS.transport, 'a response frame could not be read', { error_detail: error.message, request_id: requestId }),
    });
  }

  #envelope(connectionInfo: TcpStreamConnectionInfo, codec: PayloadCodec, body: Uint8Array, metadata: Readonly<Record<string, string>>): Uint8Array[] {
    const control = encodeControlMessage({ id: connectionInfo.context, requestType: 'single_in', responseType: 'many_out', payloadCodec: codec.name, connectionInfo, metadata });
    return encodeTwoPart(control, body, { maxSize: this.settings.maxMessageSize, coalesceBelow: COALESCE_BELOW });
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

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelled(signal);
}

function cancelled(signal: AbortSignal | undefined): DynamoTracingError {
  return new DynamoTracingError('ERR_CANCELLED', 'the request was cancelled by its caller', { cause: signal?.reason });
}
