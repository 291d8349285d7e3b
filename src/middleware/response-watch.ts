import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { reportFault } from '../internal/index.js';
import type { RequestRecorder } from './recorder.js';

const WATCH = Symbol.for('dynamo-tracing.response-watch.v2');

type Method = (this: ServerResponse, ...args: unknown[]) => unknown;
type WatchedResponse = ServerResponse & { [WATCH]?: ResponseWatch };

/** The recorder that watches this response, when there is one. */
export function recorderOf(res: object): RequestRecorder | undefined {
  return (res as WatchedResponse)[WATCH]?.recorder;
}

/**
 * Shows a response to its recorder: the head, and (inference only) the chunks. Bytes, return values and backpressure are those of
 * the methods that stood there before; a chunk is looked at after it has gone out. What is put on the response is shared between all of
 * them, so that a request costs no closures.
 */
export function watchResponse(recorder: RequestRecorder, res: ServerResponse): void {
  const watched = res as WatchedResponse;
  watched[WATCH] = new ResponseWatch(recorder, res);
  res.writeHead = tracedWriteHead;
  if (recorder.watchesChunks) Object.defineProperties(res, METHODS);
}

/**
 * `write` or `end` of one response. A middleware that comes later, as compression does, takes what it finds and puts its own function in its
 * place: ours goes around that one then, because the outermost gets the text before it is compressed, and the ones below let pass.
 */
class WatchedMethod {
  outermost: Method;
  #level = 0;

  constructor(readonly original: Method, private readonly first: Method) {
    this.outermost = first;
  }

  get isReplaced(): boolean {
    return this.outermost !== this.first;
  }

  replace(method: Method): void {
    const level = (this.#level += 1);
    const isOutermost = (): boolean => this.#level === level;
    this.outermost = function (this: ServerResponse, ...args: unknown[]): unknown {
      return isOutermost() ? observed(this, method, args) : method.apply(this, args);
    };
  }
}

/** What stood on the response before. */
class ResponseWatch {
  readonly writeHead: Method;
  readonly write: WatchedMethod;
  readonly end: WatchedMethod;
  /** A call of `write` or `end` is under way: HTTP/2's `end` calls `write`. */
  isInside = false;

  constructor(readonly recorder: RequestRecorder, res: ServerResponse) {
    /* eslint-disable @typescript-eslint/unbound-method -- called with the response as their this */
    this.writeHead = res.writeHead as Method;
    this.write = new WatchedMethod(res.write as Method, tracedWrite);
    this.end = new WatchedMethod(res.end as Method, tracedEnd);
    /* eslint-enable @typescript-eslint/unbound-method */
  }
}

const accessor = (name: 'write' | 'end'): PropertyDescriptor & ThisType<WatchedResponse> => ({
  configurable: true,
  enumerable: true,
  get() {
    return this[WATCH]?.[name].outermost;
  },
  set(method: Method) {
    this[WATCH]?.[name].replace(method);
  },
});
const METHODS: PropertyDescriptorMap = { write: accessor('write'), end: accessor('end') };

function tracedWrite(this: WatchedResponse, ...args: unknown[]): unknown {
  const { write } = this[WATCH] as ResponseWatch;
  return write.isReplaced ? write.original.apply(this, args) : observed(this, write.original, args);
}

function tracedEnd(this: WatchedResponse, ...args: unknown[]): unknown {
  const { end } = this[WATCH] as ResponseWatch;
  return end.isReplaced ? end.original.apply(this, args) : observed(this, end.original, args);
}

function observed(res: WatchedResponse, method: Method, args: unknown[]): unknown {
  const watch = res[WATCH] as ResponseWatch;
  if (watch.isInside || res.writableEnded) return method.apply(res, args);
  watch.isInside = true;
  let result: unknown;
  try {
    if (!res.headersSent) headFollows(watch, res);
    result = method.apply(res, args);
  } finally {
    watch.isInside = false;
  }
  afterChunk(res, watch, args);
  return result;
}

/** HTTP/2's compatibility layer sends the head of an empty body without calling writeHead. */
function headFollows(watch: ResponseWatch, res: ServerResponse): void {
  try {
    watch.recorder.headFollows(res);
  } catch (error) {
    reportFault('response head', error);
  }
}

function tracedWriteHead(this: WatchedResponse, ...args: unknown[]): ServerResponse {
  const watch = this[WATCH] as ResponseWatch;
  headFollows(watch, this);
  const result = watch.writeHead.apply(this, withOwnIds(watch, args));
  try {
    watch.recorder.headWritten(this, headersArgument(args));
  } catch (error) {
    reportFault('response head', error);
  }
  return result as ServerResponse;
}

function afterChunk(res: ServerResponse, watch: ResponseWatch, args: readonly unknown[]): void {
  try {
    if (res.headersSent) watch.recorder.headWritten(res, undefined);
    watch.recorder.chunkWritten(args[0], args[1]);
  } catch (error) {
    reportFault('response chunk', error);
  }
}

/** The headers given to writeHead without those that `headFollows` has set already. */
function withOwnIds(watch: ResponseWatch, args: unknown[]): unknown[] {
  const given = args.at(-1);
  if (args.length < 2 || typeof given !== 'object' || given === null) return args;
  try {
    const kept = watch.recorder.takeIds(given as OutgoingHttpHeaders | unknown[]);
    return kept === given ? args : [...args.slice(0, -1), kept];
  } catch (error) {
    reportFault('response head', error);
    return args;
  }
}

/** Headers given to writeHead, which `getHeader` does not always show: a record, or names and values in turn, or pairs. */
function headersArgument(args: readonly unknown[]): OutgoingHttpHeaders | undefined {
  const last = args.at(-1);
  if (args.length < 2 || typeof last !== 'object' || last === null) return undefined;
  if (!Array.isArray(last)) return last as OutgoingHttpHeaders;
  const inTurn: unknown[] = Array.isArray(last[0]) ? last.flat() : last;
  return Object.fromEntries(inTurn.flatMap((name, at) => (at % 2 === 0 ? [[String(name), inTurn[at + 1]]] : []))) as OutgoingHttpHeaders;
}
