import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { guarded } from '../../internal/index.js';
import { carrierOf } from '../../trace-context/index.js';
import { hopHeaders, type HopHeaders } from '../trace/index.js';

/** A request that an HTTP server of this process got, whatever framework serves it. */
export interface InboundRequest {
  readonly method: string;
  readonly url: string;
  readonly port: number | undefined;
  readonly received: HopHeaders;
  /** The response has closed. */
  readonly finished: boolean;
}

class Inbound implements InboundRequest {
  finished = false;

  constructor(
    readonly method: string,
    readonly url: string,
    readonly port: number | undefined,
    readonly received: HopHeaders,
    readonly peerPort: number | undefined,
  ) {}
}

/** One request made by `harness.fetch`. */
export interface FetchProbe {
  sent: HopHeaders;
  localPort: number | undefined;
  inbound: InboundRequest | undefined;
}

/** What hears of inbound requests. */
export interface InboundListener {
  inbound(request: InboundRequest): void;
  finished(request: InboundRequest): void;
}

/** One for each process, whatever copies of the package are loaded. */
interface TapState {
  readonly listeners: Set<InboundListener>;
  /** The last request on each open connection, by the client's port. */
  readonly byPeerPort: Map<number, Inbound>;
  /** ClientRequests to what a server of this process made of them. */
  readonly answered: WeakMap<object, InboundRequest>;
  readonly probes: WeakMap<object, FetchProbe>;
  readonly probe: AsyncLocalStorage<FetchProbe>;
}

const STATE = Symbol.for('dynamo-tracing.harness.http-tap.v1');
const state = ((globalThis as Record<symbol, unknown>)[STATE] ??= {
  listeners: new Set(), byPeerPort: new Map(), answered: new WeakMap(), probes: new WeakMap(), probe: new AsyncLocalStorage<FetchProbe>(),
} satisfies TapState) as TapState;

/** Node's own diagnostics: they tell of every request, with no middleware and no patch. */
const CHANNELS: Readonly<Record<string, (message: never) => void>> = {
  'http.server.request.start': onServerRequest,
  'http.client.response.finish': ({ request, response }: { request: object; response: IncomingMessage }) => pair(request, response.socket.localPort),
  'undici:request:create': ({ request }: { request: object }) => {
    const probe = state.probe.getStore();
    if (probe !== undefined) state.probes.set(request, probe);
  },
  'undici:client:sendHeaders': onFetchSent,
  'undici:request:headers': ({ request }: { request: object }) => {
    const probe = state.probes.get(request);
    if (probe?.localPort !== undefined) probe.inbound = state.byPeerPort.get(probe.localPort);
  },
};

/** Hears every HTTP request that a server of this process gets, until the returned function is called. */
export function tapHttp(listener: InboundListener): () => void {
  if (state.listeners.size === 0) for (const [name, hear] of Object.entries(CHANNELS)) subscribe(name, hear as (message: unknown) => void);
  state.listeners.add(listener);
  return () => {
    if (!state.listeners.delete(listener) || state.listeners.size > 0) return;
    for (const [name, hear] of Object.entries(CHANNELS)) unsubscribe(name, hear as (message: unknown) => void);
    state.byPeerPort.clear();
  };
}

/** What a server of this process made of a client's request. */
export function inboundOf(clientRequest: object): InboundRequest | undefined {
  return state.answered.get(clientRequest);
}

/** Runs `fn`, a fetch, and notes what it really sends and who gets it. */
export function withProbe<T>(probe: FetchProbe, fn: () => T): T {
  return state.probe.run(probe, fn);
}

function onServerRequest({ request, response, socket }: { request: IncomingMessage; response: ServerResponse; socket: Socket }): void {
  const inbound = new Inbound(request.method ?? 'GET', request.url ?? '/', socket.localPort, hopHeaders(carrierOf(request.headersDistinct)), socket.remotePort);
  if (socket.remotePort !== undefined) state.byPeerPort.set(socket.remotePort, inbound);
  response.once('close', () => {
    inbound.finished = true;
    if (inbound.peerPort !== undefined && state.byPeerPort.get(inbound.peerPort) === inbound && socket.destroyed) state.byPeerPort.delete(inbound.peerPort);
    for (const listener of state.listeners) guarded('harness http listener', () => listener.finished(inbound), undefined);
  });
  for (const listener of state.listeners) guarded('harness http listener', () => listener.inbound(inbound), undefined);
}

/** When a client sees the head of a response, the last request on its connection is the one that was answered. */
function pair(clientRequest: object, localPort: number | undefined): void {
  const inbound = localPort === undefined ? undefined : state.byPeerPort.get(localPort);
  if (inbound !== undefined) state.answered.set(clientRequest, inbound);
}

function onFetchSent({ request, headers, socket }: { request: object; headers: string; socket: Socket }): void {
  const probe = state.probes.get(request);
  if (probe === undefined) return;
  const lines = headers.split('\r\n').map((line) => /^([^:]+):\s*(.*)$/.exec(line)).filter((line) => line !== null);
  probe.sent = hopHeaders(carrierOf(Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]))));
  probe.localPort = socket.localPort;
}
