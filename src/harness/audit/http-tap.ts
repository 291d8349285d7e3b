import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { guarded } from '../../internal/index.js';
import { processState } from '../process-state.js';
import { fakedTimers } from '../timers.js';
import { tapSpans, type StartedSpan } from '../record/index.js';
import { hopHeaders, type HopHeaders } from '../trace/index.js';

/** A request that an HTTP server of this process got, whatever framework serves it. */
export class InboundRequest {
  /** The response has closed. */
  finished = false;
  /** Traces of the spans that its handler started, by async context: the gateway's own first. */
  readonly traceIds = new Set<string>();
  /** Request ids that these spans name. */
  readonly requestIds = new Set<string>();

  constructor(
    readonly method: string,
    readonly url: string,
    readonly received: HopHeaders,
  ) {}
}

/** A request that a client of this process sends. */
export interface OutboundRequest {
  /** The request whose handler sends it. */
  sender?: InboundRequest | undefined;
  /** What a fetch really sent. */
  sent?: HopHeaders;
  /** What a server of this process made of it. */
  inbound?: InboundRequest | undefined;
}

/** What is told of inbound requests. */
export interface InboundListener {
  inbound(request: InboundRequest): void;
  finished(request: InboundRequest): void;
}

const state = processState('http-tap.v3', () => ({
  listeners: new Set<InboundListener>(),
  /** The request whose handler runs. */
  answering: new AsyncLocalStorage<InboundRequest | undefined>(),
  /** Ports of the harness's own servers: what they get is no request of the app under test. */
  ownPorts: new Set<number>(),
  /** Requests that clients of this process send: by ClientRequest or undici's request. */
  outbound: new WeakMap<object, OutboundRequest>(),
  /** How the two sides of a request meet, by the client's port: what was sent and no server of this process has got, and what was got and nobody has sent. */
  sentFrom: new Map<number, { readonly socket: Socket; readonly outbound: OutboundRequest }>(),
  gotFrom: new Map<number, InboundRequest>(),
  /** Set while `harness.fetch` makes its request. */
  fetching: new AsyncLocalStorage<OutboundRequest>(),
}));

/** Node's own diagnostics: they tell of every request, with no middleware and no patch. */
const CHANNELS: readonly (readonly [string, (message: unknown) => void])[] = [
  channel('http.server.request.start', onServerRequest),
  // Node 20 has only the second of these two: it comes when the request has been written.
  channel('http.client.request.created', onClientRequest),
  channel('http.client.request.start', onClientRequest),
  channel('undici:request:create', ({ request }: { request: object }) => void outboundOf(request)),
  channel('undici:client:sendHeaders', onFetchSent),
];

/** A listener that throws would end the process. */
function channel(name: string, listener: (message: never) => void): readonly [string, (message: unknown) => void] {
  return [name, (message) => guarded('harness http listener', () => listener(message as never), undefined)];
}

/** Tells of every HTTP request that a server of this process gets, until the returned function is called. */
export function tapHttp(listener: InboundListener): () => void {
  if (state.listeners.size === 0) for (const [name, listen] of CHANNELS) subscribe(name, listen);
  state.listeners.add(listener);
  const stopSpans = tapSpans({ started: noteStartedSpan, ended: () => undefined });
  return () => {
    stopSpans();
    if (!state.listeners.delete(listener) || state.listeners.size > 0) return;
    for (const [name, listen] of CHANNELS) unsubscribe(name, listen);
    state.sentFrom.clear();
    state.gotFrom.clear();
  };
}

/** The request whose handler is running, by async context; in a server of the harness the one whose handler called it. */
export function requestBeingAnswered(): InboundRequest | undefined {
  return state.answering.getStore();
}

/** Notes a span that has just started for the request whose handler is running. */
function noteStartedSpan({ traceId, requestId }: StartedSpan): void {
  const inbound = state.answering.getStore();
  inbound?.traceIds.add(traceId);
  if (requestId !== undefined) inbound?.requestIds.add(requestId);
}

/** Marks a port as the harness's own until the returned function is called. */
export function ownPort(port: number): () => void {
  state.ownPorts.add(port);
  return () => void state.ownPorts.delete(port);
}

/** What a server of this process made of a client's request. */
export function inboundOf(clientRequest: object): InboundRequest | undefined {
  return state.outbound.get(clientRequest)?.inbound;
}

/** The global fetch, with a note of what it really sends and who gets it. */
export async function watchedFetch(...args: Parameters<typeof fetch>): Promise<{ readonly response: Response; readonly request: OutboundRequest }> {
  const request: OutboundRequest = {};
  return { response: await state.fetching.run(request, () => fetch(...args)), request };
}

function onServerRequest({ request, response, socket }: { request: IncomingMessage; response: ServerResponse; socket: Socket }): void {
  const { localPort = 0, remotePort = 0 } = socket;
  const faked = fakedTimers();
  if (faked !== undefined) {
    // The app would hang half-way, and its server would keep the process alive after the test.
    process.emitWarning(faked.message, { code: faked.code });
    socket.destroy();
  }
  const sent = state.sentFrom.get(remotePort);
  const outbound = sent?.socket.destroyed === false ? sent.outbound : undefined;
  state.sentFrom.delete(remotePort);
  // Everything that the handler does comes from this call: what is entered here is its async context.
  if (state.ownPorts.has(localPort)) return state.answering.enterWith(outbound?.sender);
  const inbound = new InboundRequest(request.method ?? 'GET', request.url ?? '/', hopHeaders(request.headersDistinct));
  state.answering.enterWith(inbound);
  if (outbound !== undefined) outbound.inbound = inbound;
  else state.gotFrom.set(remotePort, inbound);
  response.once('close', () => {
    inbound.finished = true;
    if (state.gotFrom.get(remotePort) === inbound) state.gotFrom.delete(remotePort);
    tell((listener) => listener.finished(inbound));
  });
  tell((listener) => listener.inbound(inbound));
}

function tell(say: (listener: InboundListener) => void): void {
  for (const listener of state.listeners) guarded('harness http listener', () => say(listener), undefined);
}

function onClientRequest({ request }: { request: { readonly socket: Socket | null; once(event: 'socket', listener: (socket: Socket) => void): unknown } }): void {
  const outbound = outboundOf(request);
  if (request.socket !== null) noteSent(request.socket, outbound);
  else request.once('socket', (socket) => noteSent(socket, outbound));
}

function onFetchSent({ request, headers, socket }: { request: object; headers: string; socket: Socket }): void {
  const outbound = outboundOf(request);
  const lines = headers.split('\r\n').map((line) => /^([^:]+):\s*(.*)$/.exec(line)).filter((line) => line !== null);
  outbound.sent = hopHeaders(Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value])));
  noteSent(socket, outbound);
}

function outboundOf(request: object): OutboundRequest {
  const outbound = state.outbound.get(request) ?? Object.assign(state.fetching.getStore() ?? {}, { sender: state.answering.getStore() });
  state.outbound.set(request, outbound);
  return outbound;
}

/** A server of this process sees the client's port. As a rule it gets the request later than this; Node 20 tells of one with a slow body when it ends. */
function noteSent(socket: Socket, outbound: OutboundRequest): void {
  if (socket.connecting) return void socket.once('connect', () => noteSent(socket, outbound));
  const { localPort = 0 } = socket;
  const inbound = state.gotFrom.get(localPort);
  state.gotFrom.delete(localPort);
  if (inbound !== undefined) outbound.inbound = inbound;
  else if (outbound.inbound === undefined) state.sentFrom.set(localPort, { socket, outbound });
}
