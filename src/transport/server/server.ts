import type { Duplex } from 'node:stream';
import { invalidOption } from '../../internal/index.js';
import { ACK_INVALID_PATH, formatWorkerAddress, MAX_FIELD_SIZE, unknownEndpointAck, type RequestFrame } from '../../protocol/index.js';
import { callDuration } from '../deadline.js';
import type { EndpointName } from '../discovery/index.js';
import { instanceIdOption, newInstanceId } from '../discovery/record.js';
import { closed } from '../endings.js';
import { LazyListener } from '../sockets.js';
import { readServerOptions, type RequestPlaneServerOptions, type ServerSettings } from '../settings.js';
import type { EndpointHandler, EndpointOptions, NetworkTarget, ServedEndpoint } from '../types.js';
import { PayloadHandler } from './payload-handler.js';
import { ServerConnection } from './server-connection.js';
import { makeEndpoint, type EndpointEntry } from './taken-request.js';

/**
 * Serves endpoints over Dynamo's TCP request plane: any number on one port, with bounded concurrency, and the worker's side
 * of the response plane.
 *
 * @example
 * const server = new RequestPlaneServer();
 * await server.listen();
 * const endpoint = server.endpoint('dynamo.backend.generate', async function* (request, context) {
 *   for (const token of ['a', 'b']) if (!context.stopped) yield { token };
 * });
 * console.log(endpoint.address);
 */
export class RequestPlaneServer {
  /** The id of this worker: that of every endpoint unless its options say otherwise. */
  readonly instanceId: bigint;
  /** The requests of this worker; another request plane may bring some too. */
  readonly payloads: PayloadHandler;
  readonly #settings: ServerSettings;
  readonly #endpoints = new Map<string, EndpointEntry>();
  readonly #connections = new Set<ServerConnection>();
  readonly #listener: LazyListener;
  #closing: Promise<void> | undefined;

  /** @throws ERR_OPTION_INVALID, ERR_ENV_INVALID */
  constructor(options?: RequestPlaneServerOptions) {
    this.#settings = readServerOptions(options);
    this.instanceId = this.#settings.instanceId ?? newInstanceId();
    this.payloads = new PayloadHandler(this.#settings);
    const { network, host, port } = this.#settings;
    this.#listener = new LazyListener(network, { host, port }, 'requests', (socket) => this.#onConnection(socket));
  }

  /** Opens the port. Later calls give the same. @throws ERR_LISTEN_FAILED, ERR_CLIENT_CLOSED */
  async listen(): Promise<NetworkTarget> {
    const { host, port } = await this.#listener.open();
    return { host, port };
  }

  /**
   * Serves an endpoint, from now on. `name` is `namespace.component.endpoint`.
   * @throws ERR_OPTION_INVALID, also for a path that is taken
   */
  endpoint<Request = unknown, Item = unknown>(name: string | EndpointName, handler: EndpointHandler<Request, Item>, options: EndpointOptions = {}): ServedEndpoint {
    const wanted = makeEndpoint(name, handler as EndpointHandler, instanceIdOption(options.instanceId, 'endpoint.instanceId') ?? this.instanceId);
    const entry = options.path === undefined && options.instanceId === undefined && this.#endpoints.has(pathOf(wanted)) ? makeEndpoint(name, handler as EndpointHandler, newInstanceId()) : wanted;
    const path = options.path ?? pathOf(entry);
    if (this.#endpoints.has(path)) throw invalidOption('endpoint.path', 'a path that is not served yet', path);
    if (path === '' || Buffer.byteLength(path) > MAX_FIELD_SIZE) throw invalidOption('endpoint.path', `1 to ${MAX_FIELD_SIZE} bytes`, path);
    this.#endpoints.set(path, entry);
    return this.#served(entry, path);
  }

  /**
   * Accepts no more connections and answers further requests as unavailable, lets requests in flight go on for `graceMs` and
   * kills those that are left, then closes every socket. Default: the server's `graceMs`. Later calls give the same promise; a
   * `graceMs` of theirs counts from then, where that ends the grace sooner.
   * @throws ERR_OPTION_INVALID
   */
  close({ graceMs }: { readonly graceMs?: number } = {}): Promise<void> {
    const grace = callDuration(graceMs, this.#settings.graceMs, 'graceMs');
    if (this.#closing !== undefined && graceMs !== undefined) this.payloads.hurry(grace);
    return (this.#closing ??= this.#close(grace));
  }

  async #close(graceMs: number): Promise<void> {
    const ended = this.#listener.close();
    await this.payloads.drain(graceMs);
    for (const connection of this.#connections) connection.destroy();
    await ended;
  }

  #served(entry: EndpointEntry, path: string): ServedEndpoint {
    const address = (): string => this.#addressOf(path);
    const remove = (): void => {
      if (this.#endpoints.get(path) === entry) this.#endpoints.delete(path);
    };
    const { namespace, component, endpoint, instanceId } = entry;
    return {
      namespace, component, endpoint, instanceId, path, remove,
      get address() { return address(); },
      get inFlight() { return entry.inFlight; },
    };
  }

  #addressOf(path: string): string {
    const { bound } = this.#listener;
    if (bound === undefined) throw closed('the server does not listen yet: an address needs a port');
    return `tcp://${formatWorkerAddress({ host: this.#settings.advertiseHost ?? bound.host, port: bound.port, endpointPath: path })}`;
  }

  #onConnection(socket: Duplex): void {
    socket.on('error', () => undefined);
    if (this.#connections.size >= this.#settings.maxConnections) return void socket.destroy();
    const connection = new ServerConnection(socket, (frame) => this.#admit(frame), this.#settings);
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
  }

  #admit({ endpointPath, headers, headersMalformed, payload }: RequestFrame): string {
    if (endpointPath === undefined) return ACK_INVALID_PATH;
    const entry = this.#endpoints.get(endpointPath);
    if (entry === undefined) return unknownEndpointAck(endpointPath);
    if (headersMalformed) this.payloads.warnMalformedHeaders(entry);
    return this.payloads.accept(headers, payload, entry);
  }
}

function pathOf({ instanceId, endpoint }: EndpointEntry): string {
  return `${instanceId.toString(16)}/${endpoint}`;
}
