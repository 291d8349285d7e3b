import type { RequestHeaders } from '../../protocol/index.js';
import { ResponsePlane } from '../response/response-plane.js';
import { readClientOptions, type RequestPlaneClientOptions } from '../settings.js';
import type { RequestDispatch, ResponseStream, SendOptions, StreamClient, StreamOptions } from '../types.js';
import { StreamCaller } from './stream-caller.js';
import { TcpDispatch } from './tcp-dispatch.js';

/**
 * Calls workers over Dynamo's TCP request plane. Connections are made as they are needed and shared by all requests to a
 * host; idle ones do not keep the process alive. Close it when done.
 *
 * @example
 * const client = new RequestPlaneClient();
 * for await (const item of client.generate('10.0.0.1:9000/2a/generate', { prompt: 'hi' })) console.log(item);
 * await client.close();
 */
export class RequestPlaneClient implements StreamClient, RequestDispatch {
  readonly #dispatch: TcpDispatch;
  readonly #responses: ResponsePlane;
  readonly #caller: StreamCaller;

  /** @throws ERR_OPTION_INVALID, ERR_ENV_INVALID */
  constructor(options?: RequestPlaneClientOptions) {
    const settings = readClientOptions(options);
    this.#dispatch = new TcpDispatch(settings);
    this.#responses = new ResponsePlane(settings);
    this.#caller = new StreamCaller(this.#dispatch, this.#responses, settings);
  }

  /** Calls an endpoint inside a `client_request` span, begun at the first `next` and ended with the stream. Throws as `openStream` and {@link ResponseStream} do. */
  generate<T = unknown>(address: string, request: unknown, options?: StreamOptions): AsyncIterableIterator<T, undefined, undefined> {
    return this.#caller.generate<T>(address, request, options);
  }

  openStream<T = unknown>(address: string, request: unknown, options?: StreamOptions): Promise<ResponseStream<T>> {
    return this.#caller.openStream<T>(address, request, options);
  }

  /** Sends one request frame and waits for its ack: the request plane alone, for payloads made elsewhere. */
  send(address: string, headers: RequestHeaders, payloadParts: readonly Uint8Array[], options?: SendOptions): Promise<void> {
    return this.#dispatch.send(address, headers, payloadParts, options);
  }

  /** Opens a connection to a worker's host ahead of the first request. @throws ERR_ADDRESS_INVALID, ERR_CLIENT_CLOSED */
  warm(address: string): void {
    this.#dispatch.warm(address);
  }

  /** Fails what is in flight with ERR_CLIENT_CLOSED, kills open streams and closes every socket. Settles when all are closed. */
  async close(): Promise<void> {
    this.#dispatch.close();
    await this.#responses.close();
  }
}
