import { guarded, reportFault } from '../internal/index.js';
import { runInRequest } from '../trace-context/index.js';
import type { InboundRequest, OtherArrival, OutboundResponse } from './arrival.js';
import type { Ending } from './ending.js';
import { classifyThrown } from './error-answer.js';
import { noteClosed, noteOpen, type OpenRecord } from './open-responses.js';
import { originForm } from './options.js';
import type { RequestRecorder } from './recorder.js';

const RECORDER = Symbol.for('dynamo-tracing.fetch-recorder.v1');
const COMPLETE: Ending = { complete: true, clientLeft: false };
const CUT: Ending = { complete: false, clientLeft: false };
const CANCELLED: Ending = { complete: false, clientLeft: true };
/** Bodies that nobody has read or cancelled before they were forgotten: their requests must not stay open. */
const DROPPED = new FinalizationRegistry<OpenRecord>((open) => open.cut());
/** A request body is read up to this size beside the handler; what comes after it stays unread. */
const MAX_READ_BYTES = 1024 * 1024;

/** The recorder of a Fetch `Request`, when it has one. */
export function recorderOfRequest(request: Request): RequestRecorder | undefined {
  return (request as { [RECORDER]?: RequestRecorder })[RECORDER];
}

export function noteRecorder(request: Request, recorder: RequestRecorder): void {
  guarded('dynamoTracing', () => Object.defineProperty(request, RECORDER, { value: recorder, configurable: true }), undefined);
}

/** What stands for a Fetch request in the place of Node's own. What arrives of its body is pushed, as Node does. */
class FetchedRequest implements InboundRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly rawHeaders: string[] = [];
  readonly scheme: string;
  readonly authority: string;
  push: InboundRequest['push'] = () => true;

  constructor({ method, headers, url }: Request) {
    this.method = method;
    this.headers = Object.fromEntries(headers);
    const { protocol, host } = new URL(url);
    this.scheme = protocol.slice(0, -1);
    this.authority = host;
  }

}

/** The head of a Fetch response before it goes back: empty until the handler has answered, then a copy of the answer's. */
class ResponseHead implements OutboundResponse {
  statusCode = 200;
  headersSent = false;
  headers = new Headers();

  take({ status, headers }: Response): void {
    this.statusCode = status;
    this.headers = new Headers(headers);
  }

  getHeader(name: string): string | undefined {
    return this.headers.get(name) ?? undefined;
  }

  setHeader(name: string, value: string): void {
    this.headers.set(name, value);
  }

  removeHeader(name: string): void {
    this.headers.delete(name);
  }
}

/**
 * One request of a Fetch-style server: tells its recorder what Node's events tell of others. The request given to the handler is the
 * host's own; the response given back is a new one, because headers may be immutable and a response may be used twice.
 */
export class FetchExchange implements OtherArrival {
  readonly req: FetchedRequest;
  readonly res = new ResponseHead();
  readonly url: string;
  #recorder: RequestRecorder | undefined;
  #isOver = false;
  readonly #left = (): void => this.#end(CANCELLED);
  readonly #open: OpenRecord = { carrier: undefined, cut: () => this.#end(CUT) };

  /** Undefined for a request that is not of the form that the Fetch standard gives it: a host's own polyfill. Never throws. */
  static of(request: Request, routeOf: () => string | undefined): FetchExchange | undefined {
    return guarded('dynamoTracing', () => new FetchExchange(request, routeOf), undefined);
  }

  private constructor(readonly original: Request, readonly routeOf: () => string | undefined) {
    this.req = new FetchedRequest(original);
    this.url = originForm(original.url).replace(/^(?=[?#]|$)/, '/');
  }

  readonly watch = (recorder: RequestRecorder): void => {
    const { signal } = this.original as Partial<Request>;
    signal?.addEventListener('abort', this.#left, { once: true });
    if (signal?.aborted === true) queueMicrotask(this.#left);
    noteRecorder(this.original, recorder);
    noteOpen(this.#open);
    this.#recorder = recorder;
    if (recorder.isInference) void this.#readBody(recorder).catch(() => undefined); // what breaks the body is told to the handler
  };

  /** The handler has answered. What goes back in the place of its answer: the same with our ids, its body watched. */
  answered(response: Response): Response {
    const recorder = this.#recorder;
    if (recorder === undefined || !isResponse(response)) {
      this.#end(COMPLETE); // Bun: a connection that was upgraded has no response
      return response;
    }
    if (response.status === 0) {
      this.#end(CUT); // Response.error(): no answer, and it cannot be made again
      return response;
    }
    try {
      this.res.take(response);
      recorder.headFollows(this.res);
      this.res.headersSent = true;
      recorder.headWritten(this.res, undefined);
      const isBodyless = response.body === null || this.req.method === 'HEAD';
      const { status, statusText } = response;
      const body = isBodyless ? response.body : this.#watched(response.body);
      const own = new Response(body, { status, statusText, headers: this.res.headers });
      if (isBodyless) this.#end(COMPLETE);
      return own;
    } catch (error) {
      reportFault('response', error);
      this.#end(COMPLETE);
      return response;
    }
  }

  /** The handler has thrown. Next.js answers a redirect and a missing page by errors, which it marks. */
  threw(error: unknown): void {
    const status = statusOfMark(error);
    if (status === undefined) {
      this.#recorder?.failedWith(error);
      this.#recorder?.fail(classifyThrown(error).type);
      this.#end(CUT);
    } else {
      this.res.statusCode = status;
      this.#recorder?.headWritten(this.res, undefined);
      this.#end(COMPLETE);
    }
  }

  #end(ending: Ending): void {
    if (this.#isOver) return;
    this.#isOver = true;
    noteClosed(this.#open);
    (this.original as Partial<Request>).signal?.removeEventListener('abort', this.#left);
    this.#recorder?.ended(ending);
  }

  /** Reads a copy of the body: whatever the handler reads it by, and however often it looks at it, its own is untouched. */
  async #readBody(recorder: RequestRecorder): Promise<void> {
    const { body, bodyUsed } = this.original as Partial<Request>;
    if (body === null || body === undefined || bodyUsed === true) return;
    const reader = (this.original.clone().body as ReadableStream<Uint8Array> | null)?.getReader();
    for (let size = 0; reader !== undefined;) {
      const { done, value } = await reader.read();
      if (done) {
        this.req.push(null);
        recorder.bodyArrived();
        return;
      }
      this.req.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength));
      size += value.byteLength;
      if (size > MAX_READ_BYTES) return reader.cancel();
    }
  }

  /** Nothing is read before the consumer asks for it, so that its backpressure is the handler's. */
  #watched(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
    const recorder = this.#recorder as RequestRecorder;
    const reader = body.getReader();
    const watched = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        try {
          const { done, value } = await runInRequest(recorder.handle, recorder.context, () => reader.read());
          if (done) {
            this.#end(COMPLETE);
            controller.close();
          } else {
            controller.enqueue(value);
            guarded('response chunk', () => recorder.chunkWritten(value, undefined), undefined);
          }
        } catch (error) {
          recorder.failedWith(error);
          recorder.fail(classifyThrown(error).type);
          this.#end(CUT);
          throw error;
        }
      },
      cancel: async (reason) => {
        this.#end(CANCELLED);
        await runInRequest(recorder.handle, recorder.context, () => reader.cancel(reason));
      },
    }, { highWaterMark: 0 });
    DROPPED.register(watched, this.#open);
    return watched;
  }
}

function isResponse(value: unknown): value is Response {
  return typeof value === 'object' && value !== null && 'status' in value && typeof (value as Partial<Response>).headers?.get === 'function';
}

const MARK = /^NEXT_(?:REDIRECT;.*;(\d{3});|HTTP_ERROR_FALLBACK;(\d{3}))/;

function statusOfMark(error: unknown): number | undefined {
  const digest = guarded('digest', () => (error as { readonly digest?: unknown } | undefined)?.digest, undefined);
  const found = typeof digest === 'string' ? MARK.exec(digest) : null;
  const status = found?.[1] ?? found?.[2];
  return status === undefined ? undefined : Number(status);
}
