import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  encodeHandshake, encodePrologue, encodeTwoPart, RequestFrameDecoder, TwoPartDecoder, decodeControlMessage, decodeTwoPart, encodeAck,
  RequestPlaneClient, RequestPlaneServer, tcpNetwork,
  type ControlMessage, type EndpointHandler, type Network, type RequestFrame, type RequestPlaneClientOptions, type RequestPlaneServerOptions, type ServedEndpoint, type TwoPartFrame,
} from 'dynamo-tracing/transport';

const LOOPBACK = '127.0.0.1';
const cleanups: (() => unknown)[] = [];

/** Runs `cleanup` when the test is over, whatever came of it. */
export function afterTest(cleanup: () => unknown): void {
  cleanups.push(cleanup);
}

export async function cleanUp(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** A client on loopback, closed after the test. Its environment is empty. */
export function makeClient(options: RequestPlaneClientOptions = {}): RequestPlaneClient {
  const client = new RequestPlaneClient({ responseHost: LOOPBACK, logger: false, env: {}, ...options });
  afterTest(() => client.close());
  return client;
}

export interface TestWorker extends ServedEndpoint {
  readonly server: RequestPlaneServer;
}

/** A worker on loopback with one endpoint, closed after the test. */
export async function serve<R, I>(handler: EndpointHandler<R, I>, options: RequestPlaneServerOptions = {}): Promise<TestWorker> {
  const server = new RequestPlaneServer({ host: LOOPBACK, logger: false, env: {}, ...options });
  await server.listen();
  afterTest(() => server.close({ graceMs: 0 }));
  const served = server.endpoint('dynamo.backend.generate', handler);
  return Object.defineProperties({ server } as TestWorker, Object.getOwnPropertyDescriptors(served));
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The error that a promise rejects with; a promise that does not reject fails the test. */
export async function failure(promise: Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return error as Record<string, unknown>;
  }
  throw new Error('no error was thrown');
}

/** Real sockets, and a look at each: those that were dialled and those that were accepted. */
export function watchedNetwork(): { readonly network: Network; readonly dialled: Duplex[]; readonly accepted: Duplex[] } {
  const real = tcpNetwork({ env: {} });
  const [dialled, accepted]: [Duplex[], Duplex[]] = [[], []];
  const network: Network = {
    connect: (target) => {
      const socket = real.connect(target);
      dialled.push(socket);
      return socket;
    },
    listen: (host, port, onConnection) => real.listen(host, port, (socket) => {
      accepted.push(socket);
      onConnection(socket);
    }),
  };
  return { network, dialled, accepted };
}

/** A listener of plain sockets, closed after the test with everything it accepted. */
export async function listen(onSocket: (socket: Socket) => void, on = 0): Promise<{ readonly port: number; readonly address: string; readonly server: Server; readonly sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  server.listen(on, LOOPBACK);
  await once(server, 'listening');
  afterTest(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, address: `${LOOPBACK}:${port}/1/generate`, server, sockets };
}

/** A worker written by hand: gets every request frame and its control message, answers or not. */
export function rawWorker(onRequest: (frame: RequestFrame, socket: Socket, control: ControlMessage) => void, on = 0): ReturnType<typeof listen> {
  return listen((socket) => {
    const decoder = new RequestFrameDecoder();
    socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk);
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
        if (frame.kind === 'request') onRequest(frame, socket, decodeControlMessage(decodeTwoPart(frame.payload).header));
      }
    });
  }, on);
}

export const ACCEPT = encodeAck('');

/** Dials home as a worker would and sends the handshake; the caller of this writes the rest. */
export async function dialHome(control: ControlMessage): Promise<Socket> {
  const { host, port, subject } = control.connectionInfo;
  const socket = connect({ host, port, allowHalfOpen: true });
  socket.on('error', () => undefined);
  afterTest(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(headerFrame(encodeHandshake({ subject, streamType: 'response' })));
  return socket;
}

export function headerFrame(header: Uint8Array): Buffer {
  return Buffer.concat(encodeTwoPart(header));
}

export const PROLOGUE = headerFrame(encodePrologue());
export const SENTINEL = headerFrame(Buffer.from('"sentinel"'));

/** A data frame with this JSON. */
export function dataFrame(item: unknown): Buffer {
  return Buffer.concat(encodeTwoPart(undefined, Buffer.from(JSON.stringify(item))));
}

export const itemFrame = (data: unknown): Buffer => dataFrame({ data: { data }, complete_final: false });
export const FINAL = dataFrame({ complete_final: true });

/** Frames that arrive on a socket, one at a time. */
export class FrameTap {
  readonly #decoder = new TwoPartDecoder();
  readonly #frames: TwoPartFrame[] = [];
  #wake: (() => void) | undefined;
  closed = false;

  constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.#decoder.push(chunk);
      for (let frame = this.#decoder.next(); frame !== undefined && frame.kind !== 'refused'; frame = this.#decoder.next()) this.#frames.push(frame);
      this.#wake?.();
    });
    socket.on('end', () => this.#end()).on('close', () => this.#end());
  }

  /** The next frame's header or data as text; undefined at the end. */
  async next(): Promise<string | undefined> {
    while (this.#frames.length === 0 && !this.closed) await new Promise<void>((resolve) => (this.#wake = resolve));
    const frame = this.#frames.shift();
    return frame === undefined ? undefined : (frame.header.length > 0 ? frame.header : frame.data).toString();
  }

  #end(): void {
    this.closed = true;
    this.#wake?.();
  }
}
