import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { reportFault } from '../internal/index.js';
import type { RequestLifecycle } from './lifecycle.js';

const WATCH = Symbol.for('dynamo-tracing.response-watch.v1');

type WatchedResponse = ServerResponse & { [WATCH]?: ResponseWatch };

/** The lifecycle that watches this response, when there is one. */
export function lifecycleOf(res: ServerResponse): RequestLifecycle | undefined {
  return (res as WatchedResponse)[WATCH]?.lifecycle;
}

/**
 * Watches a response for its lifecycle: the head, the chunks (inference only) and the close. Bytes, return values and
 * backpressure are those of the methods that stood there before; a chunk is looked at after it has gone out. The functions
 * put on the response are shared, so that a request costs no closures.
 */
export function watchResponse(lifecycle: RequestLifecycle, req: IncomingMessage, res: ServerResponse): void {
  const watched = res as WatchedResponse;
  watched[WATCH] = new ResponseWatch(lifecycle, req, res);
  res.writeHead = tracedWriteHead;
  if (lifecycle.isInference) {
    res.write = tracedWrite as ServerResponse['write'];
    res.end = tracedEnd as ServerResponse['end'];
    res.prependListener('finish', onFinish);
  }
  // Before any other listener: instrumentation-http ends its own span in its close listener.
  res.prependListener('close', onClose);
}

/** What stood on the response before, and the socket of a pipelined request. */
class ResponseWatch {
  readonly writeHead: (this: ServerResponse, ...args: unknown[]) => ServerResponse;
  readonly write: (this: ServerResponse, ...args: unknown[]) => boolean;
  readonly end: (this: ServerResponse, ...args: unknown[]) => ServerResponse;
  /** Every byte went to a connection that was still there. */
  complete = false;
  readonly #onSocketClose: (() => void) | undefined;

  constructor(readonly lifecycle: RequestLifecycle, readonly req: IncomingMessage, res: ServerResponse) {
    /* eslint-disable @typescript-eslint/unbound-method -- called with the response as their this */
    this.writeHead = res.writeHead as ResponseWatch['writeHead'];
    this.write = res.write as ResponseWatch['write'];
    this.end = res.end as ResponseWatch['end'];
    /* eslint-enable @typescript-eslint/unbound-method */
    // A response that waits behind another on its connection has no socket yet and hears no close when that connection dies.
    if (res.socket === null) {
      this.#onSocketClose = () => this.finish(res);
      req.socket.once('close', this.#onSocketClose);
    }
  }

  finish(res: ServerResponse): void {
    if (this.#onSocketClose !== undefined) this.req.socket.off('close', this.#onSocketClose);
    try {
      this.lifecycle.finish({ complete: this.complete, clientLeft: hasClientLeft(this.req, res) });
    } catch (error) {
      reportFault('lifecycle.finish', error);
    }
  }
}

/** The client closed or reset its connection; otherwise this process did (a crash handler, `destroy`, a shutdown). */
function hasClientLeft(req: IncomingMessage, res: ServerResponse): boolean {
  if (res.errored !== null) return false;
  return req.socket.readableEnded || req.socket.errored !== null;
}

/** Node says finished, too, for a response whose connection has just been destroyed under it. */
function onFinish(this: ServerResponse): void {
  const watch = (this as WatchedResponse)[WATCH];
  if (watch !== undefined) watch.complete = !watch.req.socket.destroyed;
}

function onClose(this: ServerResponse): void {
  (this as WatchedResponse)[WATCH]?.finish(this);
}

function tracedWriteHead(this: WatchedResponse, ...args: unknown[]): ServerResponse {
  const watch = this[WATCH] as ResponseWatch;
  const result = watch.writeHead.apply(this, args);
  try {
    watch.lifecycle.headWritten(this, headersArgument(args));
  } catch (error) {
    reportFault('lifecycle.headWritten', error);
  }
  return result;
}

function tracedWrite(this: WatchedResponse, ...args: unknown[]): boolean {
  const watch = this[WATCH] as ResponseWatch;
  const result = watch.write.apply(this, args);
  afterChunk(this, watch, args);
  return result;
}

function tracedEnd(this: WatchedResponse, ...args: unknown[]): ServerResponse {
  const watch = this[WATCH] as ResponseWatch;
  const late = this.writableEnded;
  const result = watch.end.apply(this, args);
  if (!late) afterChunk(this, watch, args);
  return result;
}

function afterChunk(res: WatchedResponse, watch: ResponseWatch, args: readonly unknown[]): void {
  try {
    // HTTP/2's compatibility layer sends the head without calling writeHead.
    watch.lifecycle.headWritten(res, undefined);
    watch.lifecycle.chunkWritten(args[0], args[1]);
  } catch (error) {
    reportFault('lifecycle.chunkWritten', error);
  }
}

/** Headers given to writeHead, which `getHeader` does not always show. */
function headersArgument(args: readonly unknown[]): OutgoingHttpHeaders | undefined {
  const last = args.at(-1);
  return args.length > 1 && typeof last === 'object' && last !== null && !Array.isArray(last) ? (last as OutgoingHttpHeaders) : undefined;
}
