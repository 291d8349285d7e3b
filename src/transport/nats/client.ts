import { StreamCaller } from '../client/stream-caller.js';
import { ResponsePlane } from '../response/response-plane.js';
import { readCallOptions, type CallOptions } from '../settings.js';
import type { ResponseStream, StreamClient, StreamOptions } from '../types.js';
import type { NatsConnection } from './connection.js';
import { natsDispatch } from './dispatch.js';

/** Options of a {@link NatsRequestPlaneClient}. */
export interface NatsClientOptions extends CallOptions {
  /** Longest time from a request to its acknowledgement, in milliseconds. Default 5000. */
  readonly requestTimeoutMs?: number | undefined;
}

/**
 * Calls workers over Dynamo's NATS request plane: requests go through the NATS server, responses come straight from the worker
 * over TCP, as on the TCP plane. Addresses are subjects. Closing it leaves the NATS connection open: that is its maker's.
 */
export class NatsRequestPlaneClient implements StreamClient {
  readonly #responses: ResponsePlane;
  readonly #caller: StreamCaller;

  /** @throws ERR_OPTION_INVALID, ERR_ENV_INVALID */
  constructor(connection: NatsConnection, { requestTimeoutMs, ...options }: NatsClientOptions = {}) {
    const settings = readCallOptions('natsRequestPlaneClient', options);
    this.#responses = new ResponsePlane(settings);
    this.#caller = new StreamCaller(natsDispatch(connection, { requestTimeoutMs }), this.#responses, settings);
  }

  /** Calls the endpoint behind a subject inside a `client_request` span, begun at the first `next` and ended with the stream. */
  generate<T = unknown>(subject: string, request: unknown, options?: StreamOptions): AsyncIterableIterator<T, undefined, undefined> {
    return this.#caller.generate<T>(subject, request, options);
  }

  openStream<T = unknown>(subject: string, request: unknown, options?: StreamOptions): Promise<ResponseStream<T>> {
    return this.#caller.openStream<T>(subject, request, options);
  }

  /** Kills open streams with ERR_CLIENT_CLOSED and closes the response plane. */
  async close(): Promise<void> {
    await this.#responses.close();
  }
}
