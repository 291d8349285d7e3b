import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerResponse, Http2Session, ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { errorFact } from '../errors/index.js';
import { reportFault } from '../internal/index.js';
import { noteClosed, noteOpen, type OpenResponse } from './open-responses.js';
import { peerOf, peerOfSession, type Peer } from './peer.js';
import { watchUpgrade, type Upgrade } from './upgrade.js';

/** How a response ended. */
export interface Ending {
  /** The response went out whole. */
  readonly complete: boolean;
  /** The client went away; otherwise it was this process that cut the response short. */
  readonly clientLeft: boolean;
}

/** Told once how the response ended, when it has closed, whichever event came first. */
export interface EndingListener {
  ended(ending: Ending): void;
  /** The connection has become another protocol's, or has refused to: there is no response head but this status. */
  upgraded(status: number): void;
}

const ENDING = Symbol.for('dynamo-tracing.ending.v1');
type EndingResponse = ServerResponse & { [ENDING]?: ResponseEnding };

/**
 * Watches for the end of a response, the only place that decides it: HTTP/1.1, pipelined or not, HTTP/2, and upgraded connections.
 * The listeners are shared functions, so that a request costs no closures; they come before those of others, because
 * instrumentations end their spans in theirs.
 */
export function watchEnding(req: IncomingMessage, res: ServerResponse, listener: EndingListener): void {
  const ending = new ResponseEnding(req, res, listener);
  (res as EndingResponse)[ENDING] = ending;
  if (ending.stream === undefined) res.prependListener('finish', onFinish);
  else watchClose(ending.stream, ending);
  res.prependListener('close', onClose);
  noteOpen(ending);
  // The client left while something before the middleware took its time: `close` has been and does not come again.
  if (ending.stream?.closed ?? res.closed) process.nextTick(() => ending.closed());
}

function onFinish(this: EndingResponse): void {
  this[ENDING]?.finished();
}

function onClose(this: EndingResponse): void {
  this[ENDING]?.closed();
}

class ResponseEnding implements OpenResponse {
  readonly stream: ServerHttp2Stream | undefined;
  /** As it was at the beginning: a stream that has ended does not tell it any more. */
  readonly #session: Http2Session | undefined;
  /** As it was at the beginning: undici takes it off a request that it sends on as a body. */
  readonly #socket: Socket | null;
  readonly #peer: Peer;
  readonly #upgrade: Upgrade | undefined;
  /** The HTTP/2 stream's `close` has been called: by this process, or by Node because the connection is closed. The client's reset does not call it. */
  isClosedHere = false;
  #isWhole = false;
  #isOver = false;

  constructor(private readonly req: IncomingMessage, readonly res: ServerResponse, private readonly listener: EndingListener) {
    this.stream = (res as ServerResponse & Partial<Pick<Http2ServerResponse, 'stream'>>).stream;
    this.#session = this.stream?.session;
    this.#socket = this.stream === undefined ? (req.socket) : null;
    this.#peer = this.#socket === null ? peerOfSession(this.#session) : peerOf(this.#socket);
    if (this.#socket === null) return;
    if ((req as { upgrade?: unknown }).upgrade === true) this.#upgrade = watchUpgrade(req, this.#socket, (status) => listener.upgraded(status));
    // A response that waits behind another on its connection has no socket yet, and on Node 20 no close when the connection dies.
    if (res.socket === null) waitingOn(this.#socket).add(this);
  }

  /** Node says finished, too, for a response whose connection has just been destroyed under it. */
  finished(): void {
    this.#isWhole = this.#socket?.destroyed !== true;
  }

  closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    noteClosed(this);
    try {
      if (this.#socket !== null) waiting.get(this.#socket)?.delete(this);
      this.listener.ended(this.#judge());
    } catch (error) {
      reportFault('the end of a request', error);
    }
  }

  get carrier(): Socket | Http2Session | undefined {
    return this.stream === undefined ? this.#socket ?? undefined : this.#session;
  }

  cut(): void {
    // All of it may have gone out in this turn, before Node says so.
    this.#isWhole ||= this.#socket?.destroyed === false && this.res.writableFinished;
    this.closed();
  }

  #judge(): Ending {
    if (this.stream !== undefined) return endingOfStream(this.stream, this.isClosedHere, this.#peer.hasLeft);
    if (this.#isWhole) return { complete: true, clientLeft: false };
    const clientLeft = this.#socket !== null && hasClientLeft(this.#socket, this.#peer, this.res, this.req);
    return this.#upgrade?.ending(clientLeft) ?? { complete: false, clientLeft };
  }
}

const CLOSING = Symbol.for('dynamo-tracing.closing.v1');
type ClosingStream = ServerHttp2Stream & { [CLOSING]?: { readonly ending: ResponseEnding; readonly close: ServerHttp2Stream['close'] } };

function watchClose(stream: ClosingStream, ending: ResponseEnding): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the stream as its this
  stream[CLOSING] = { ending, close: stream.close };
  stream.close = watchedClose;
}

function watchedClose(this: ClosingStream, ...args: Parameters<ServerHttp2Stream['close']>): void {
  const { ending, close } = this[CLOSING] as NonNullable<ClosingStream[typeof CLOSING]>;
  ending.isClosedHere ||= !this.closed;
  close.apply(this, args);
}

/** Responses in a queue, by their connection, which has one listener for all of them. */
const waiting = new WeakMap<Socket, Set<ResponseEnding>>();

function waitingOn(socket: Socket): Set<ResponseEnding> {
  const known = waiting.get(socket);
  if (known !== undefined) return known;
  const responses = new Set<ResponseEnding>();
  waiting.set(socket, responses);
  socket.once('close', () => [...responses].forEach((response) => response.closed()));
  return responses;
}

/** The client ended or lost the connection. An error that the response or request has as well was given to `destroy` by this process. */
function hasClientLeft(socket: Socket, peer: Peer, res: ServerResponse, req: IncomingMessage): boolean {
  const { errored } = socket;
  return socket.readableEnded || (peer.hasLeft && (errored === null || (errored !== res.errored && errored !== req.errored)));
}

const NO_ERROR = 0;

/**
 * HTTP/2's response says `finish` at every close, so its stream is asked. A stream that this process has closed or destroyed is known by
 * its call of `close` or by an error of its own; every other was reset by the client or went down with its connection.
 */
function endingOfStream({ rstCode, aborted, writableFinished, errored }: ServerHttp2Stream, isClosedHere: boolean, hasPeerLeft: boolean): Ending {
  if (rstCode === NO_ERROR && writableFinished && !aborted) return { complete: true, clientLeft: false };
  if (hasPeerLeft) return { complete: false, clientLeft: true };
  // Node makes this error of the code in the client's reset, but none of CANCEL; after one without a code it ends what was to be written.
  const isReset = errored === null ? rstCode !== NO_ERROR || writableFinished : errorFact(errored, 'code') === 'ERR_HTTP2_STREAM_ERROR';
  return { complete: false, clientLeft: !isClosedHere && isReset };
}
