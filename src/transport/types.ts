import type { Duplex } from 'node:stream';
import type { Context } from '@opentelemetry/api';
import type { RequestLogger } from '../logging/index.js';
import type { PayloadCodecName, RequestHeaders } from '../protocol/index.js';
import type { DistributedTraceContext, TraceHeaders } from '../trace-context/index.js';

/** Where a connection goes. `host` is an IP address, IPv6 without brackets. */
export interface NetworkTarget {
  readonly host: string;
  readonly port: number;
}

/** A listener of a {@link Network}. */
export interface NetworkListener {
  /** The address it is bound to; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Stops accepting at once; settles when the accepted connections, which their owner closes, are closed too. Never rejects. */
  close(): Promise<void>;
  /** Lets the process end although this listens; absent where there is nothing to let go. */
  unref?(): void;
  /** Undoes `unref`. */
  ref?(): void;
}

/**
 * Everything that the transport knows of sockets: real TCP or TLS ({@link tcpNetwork}), links in memory, links with faults.
 * A connection is a Duplex that behaves as a net.Socket does: it emits `connect` once it can be used (TLS: `secureConnect`,
 * and has `encrypted: true`), takes writes before that, emits `error` at most once and always `close`. Its two halves end
 * apart (`allowHalfOpen`): `end` says that the peer has sent everything and still reads.
 */
export interface Network {
  /** Opens a connection; failure to do so is an `error` event. */
  connect(target: NetworkTarget): Duplex;
  /**
   * Listens; port 0 lets the system choose. `onConnection` gets connections that are ready to be used (TLS: after the
   * handshake). @throws what the system says, e.g. EADDRINUSE
   */
  listen(host: string, port: number, onConnection: (socket: Duplex) => void): Promise<NetworkListener>;
}

/** How one request is sent. */
export interface SendOptions {
  /** Gives the request up: ERR_CANCELLED. What was written already stays written. */
  readonly signal?: AbortSignal | undefined;
  /** From the call to the acknowledgement, connecting included, in milliseconds. Default: the client's `requestTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
}

/** A request plane as its callers see it: TCP and NATS alike. */
export interface RequestDispatch {
  /**
   * Sends one request and waits until the worker has acknowledged it. `address` is what discovery gives for this plane
   * (TCP: `[tcp://]ip:port/endpoint_path`, NATS: a subject). Payload parts are written one after the other, not copied,
   * and must not be changed before the promise settles.
   * @throws ERR_ADDRESS_INVALID, ERR_FRAME_TOO_LARGE, ERR_FRAME_FIELD_TOO_LONG; ERR_CONNECT_FAILED, ERR_CONNECT_TIMEOUT,
   * ERR_TOO_MANY_IN_FLIGHT (nothing was sent); ERR_ACK_TIMEOUT, ERR_CONNECTION_CLOSED, ERR_WORKER_PROTOCOL (the worker may have it);
   * ERR_WORKER_OVERLOADED, ERR_WORKER_UNAVAILABLE, ERR_UNKNOWN_ENDPOINT, ERR_REQUEST_REJECTED (refused);
   * ERR_CANCELLED, ERR_CLIENT_CLOSED
   */
  send(address: string, headers: RequestHeaders, payloadParts: readonly Uint8Array[], options?: SendOptions): Promise<void>;
}

/** Settings of one streamed call. */
export interface StreamOptions {
  /** Aborting kills the request: the worker is told, the stream throws ERR_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** The engine context id, sent as `request-id`. Default: the request id of `context`, else a new UUID. */
  readonly requestId?: string | undefined;
  /** Key and value texts that the worker's handler sees as `context.metadata`. Default none. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** How the request and the items are written: what the worker's instance record names. Default 'json'. */
  readonly codec?: PayloadCodecName | undefined;
  /**
   * Yield whole Annotated items (data, event, id, comment, error). Error items and undecodable frames are then yielded as
   * well instead of thrown. Default false: the bare `data` values; an item without data is skipped.
   */
  readonly annotated?: boolean | undefined;
  /**
   * Take an engine's rejection for an error: engines of Dynamo say it as data, `finish_reason: { error: text }` or `finish_reason: 'error: text'`.
   * It is then thrown as ERR_WORKER_ERROR (`errorType` 'backend_unknown', the engine's text as message), or with `annotated` an error item.
   * Default false.
   */
  readonly engineErrors?: boolean | undefined;
  /** Whose trace the request continues. Default: the current context. */
  readonly context?: Context | undefined;
  /** Further headers of the request; those of this package win. Default none. */
  readonly headers?: RequestHeaders | undefined;
  /** As {@link SendOptions.timeoutMs}. */
  readonly requestTimeoutMs?: number | undefined;
  /**
   * From the acknowledgement to the prologue, in milliseconds; 0 waits for ever. Default: the client's `prologueTimeoutMs`.
   */
  readonly prologueTimeoutMs?: number | undefined;
  /**
   * Longest wait for the next item while the consumer asks for one, in milliseconds; 0 waits for ever. Default: the client's
   * `inactivityTimeoutMs`.
   */
  readonly inactivityTimeoutMs?: number | undefined;
}

/** How a response stream came to its end. */
export type StreamEnd =
  | { readonly outcome: 'complete' }
  | { readonly outcome: 'error'; readonly error: unknown }
  /** `kill`: signal aborted or `cancel()`; `stop`: `stop()` was called; `stream_drop`: the consumer left the loop early. */
  | { readonly outcome: 'cancelled'; readonly signal: 'kill' | 'stop' | 'stream_drop' };

/**
 * The items of a response as they come. Iterate once; leaving the loop early kills the request at the worker. Reading slowly
 * slows the worker down: what is not asked for stays in its socket.
 *
 * `next` throws ERR_WORKER_ERROR (`errorType`), ERR_STREAM_INCOMPLETE, ERR_MESSAGE_INVALID, ERR_WORKER_PROTOCOL,
 * ERR_RESPONSE_TIMEOUT, ERR_CANCELLED or ERR_CLIENT_CLOSED, and is done afterwards.
 */
export interface ResponseStream<T = unknown> extends AsyncIterableIterator<T, undefined, undefined> {
  /** The engine context id that went with the request. */
  readonly requestId: string;
  /** Settles when the stream is over and what came before its end has been read, whoever ended it. Never rejects. */
  readonly ended: Promise<StreamEnd>;
  /** Asks the worker to stop generating; what it still sends can be read. An end without the final mark is then clean. */
  stop(): void;
  /** Kills the request at the worker and closes the stream; a `next` that waits throws ERR_CANCELLED. */
  cancel(): void;
  /** The next item; throws what ended the stream. */
  next(): Promise<IteratorResult<T, undefined>>;
  /** Leaves the stream: kills the request unless it is over. */
  return(): Promise<IteratorResult<T, undefined>>;
  /** Returns this stream: it can be read once. */
  [Symbol.asyncIterator](): ResponseStream<T>;
}

/** What a router needs of a request plane's client: the streamed call without a span around it. */
export interface StreamClient {
  /**
   * Sends `request` and waits for the prologue. Makes no span.
   * @throws as {@link RequestDispatch.send}; ERR_PROLOGUE_TIMEOUT; ERR_GENERATE_FAILED (the worker failed before its stream
   * began); ERR_CONNECTION_CLOSED; ERR_WORKER_PROTOCOL
   */
  openStream<T = unknown>(address: string, request: unknown, options?: StreamOptions): Promise<ResponseStream<T>>;
  /** Opens a connection to a worker ahead of the first request, where the plane has one. @throws ERR_ADDRESS_INVALID, ERR_CLIENT_CLOSED */
  warm?(address: string): void;
}

/** Which endpoint a request came to. */
export interface EndpointIdentity {
  readonly namespace: string;
  readonly component: string;
  readonly endpoint: string;
  readonly instanceId: bigint;
}

/** What a handler knows about its request. */
export interface RequestContext extends EndpointIdentity {
  /** The canonical request id: header `request-id`, else `x-dynamo-request-id`, else the control message's id. */
  readonly requestId: string;
  /** The first caller's own `x-request-id`. */
  readonly xRequestId: string | undefined;
  /** Metadata of the control message. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Headers of the request frame, names in lower case. */
  readonly headers: RequestHeaders;
  /** Aborts on stop, on kill and when the caller is gone. */
  readonly signal: AbortSignal;
  /** The caller wants no more items; true after a kill as well. */
  readonly stopped: boolean;
  /** The caller is gone or has killed the request: nothing that is yielded reaches it. */
  readonly killed: boolean;
  /** Ids of the `handle_payload` span and of the request. */
  readonly trace: DistributedTraceContext;
  /** The headers that continue this trace on another hop. */
  traceHeaders(): TraceHeaders;
  /** A logger whose lines carry the ids of this request. */
  readonly log: RequestLogger;
}

/** Anything with `for await`: an async generator as a rule. */
export type HandlerResult<Item> = AsyncIterable<Item> | Iterable<Item>;

/**
 * Serves one request: an async generator function as a rule. Items are sent as they are yielded; one made by
 * {@link annotated} or with `_dynamo_annotated: true` is sent as the envelope itself. What it throws reaches the caller
 * as an error item, or in the prologue when it throws before it returns its generator.
 */
export type EndpointHandler<Request = unknown, Item = unknown> = (request: Request, context: RequestContext) => HandlerResult<Item> | Promise<HandlerResult<Item>>;

/** Settings of one endpoint. */
export interface EndpointOptions {
  /** Endpoint path on the wire. Default `<instance id, hex>/<endpoint name>`. */
  readonly path?: string | undefined;
  /** Default: the server's instance id; a random one when that path is taken already. */
  readonly instanceId?: bigint | undefined;
}

/** An endpoint that is being served. */
export interface ServedEndpoint extends EndpointIdentity {
  /** Endpoint path on the wire. */
  readonly path: string;
  /** `tcp://ip:port/path`. @throws ERR_CLIENT_CLOSED while the server does not listen */
  readonly address: string;
  /** Requests being handled or queued. */
  readonly inFlight: number;
  /** Serves no new requests: they are answered as for an unknown endpoint. Requests in flight go on. */
  remove(): void;
}
