import type { IncomingMessage } from 'node:http';
import { reportFault } from '../internal/index.js';
import type { Shape } from './dialects/index.js';
import { pickJson } from './observation/index.js';

/** What a request body says about the call. */
export interface BodyFacts {
  readonly model: string | undefined;
  readonly stream: boolean;
}

const MAX_MODEL_LENGTH = 256;
/** A body that nobody parses is read up to this size; a larger one stays unread. */
const MAX_UNPARSED_BYTES = 1024 * 1024;

/** Reads model and stream flag from a parsed body, or from JSON text or bytes. Undefined when it is neither. */
export function readBody(body: unknown): BodyFacts | undefined {
  if (typeof body === 'string') return readJson(body, false);
  if (body instanceof Uint8Array) return readJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1'), true);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  const { model, stream } = body as Record<string, unknown>;
  if (model === undefined && stream === undefined && Object.keys(body).length === 0) return undefined;
  return factsOf(model, stream);
}

const SHAPE = { model: 'model', stream: 'stream' } as const satisfies Shape;

/** Without parsing the whole of it: a prompt may be long. */
function readJson(text: string, isBytes: boolean): BodyFacts | undefined {
  if (text.length > MAX_UNPARSED_BYTES || !/^\s*\{/.test(text)) return undefined;
  const { model, stream } = pickJson(text, SHAPE, isBytes);
  if (model === undefined && stream === undefined) return undefined;
  return factsOf(model, stream);
}

function factsOf(model: unknown, stream: unknown): BodyFacts {
  return { model: typeof model === 'string' && model !== '' ? model.slice(0, MAX_MODEL_LENGTH) : undefined, stream: stream === true };
}

/** Told what a body parser has made of a request's body; says whether that is a body of the API. */
export interface BodyListener {
  bodyParsed(body: unknown): boolean;
}

const WATCH = Symbol.for('dynamo-tracing.body-watch.v1');

type WatchedRequest = IncomingMessage & { body?: unknown; [WATCH]?: BodyWatch };

/**
 * Sees the body of a request without consuming it: the moment a body parser assigns `req.body`, and, for handlers that read
 * or pipe the request themselves, the bytes as they arrive (kept by reference, dropped once a parsed body is there).
 */
export class BodyWatch {
  /** What `req.body` holds. */
  body: unknown;
  /** `push` as it stood on the request before. */
  readonly push: IncomingMessage['push'];
  #chunks: Buffer[] | undefined = [];
  #bytes = 0;

  constructor(req: IncomingMessage, private readonly listener: BodyListener) {
    const watched = req as WatchedRequest;
    this.body = watched.body;
    this.push = req.push; // eslint-disable-line @typescript-eslint/unbound-method -- called with the request as its this
    watched[WATCH] = this;
    Object.defineProperty(req, 'body', BODY);
    req.push = watchedPush;
  }

  /** Facts from the raw bytes, when no parsed body has shown them. Called when the response begins. */
  fromBytes(): BodyFacts | undefined {
    const chunks = this.#chunks;
    this.#chunks = undefined;
    return chunks === undefined || chunks.length === 0 ? undefined : readJson(Buffer.concat(chunks).toString('latin1'), true);
  }

  /** A parsed body has shown what there is to know: the bytes are not needed. */
  drop(): void {
    this.#chunks = undefined;
  }

  assigned(value: unknown): void {
    this.body = value;
    try {
      this.listener.bodyParsed(value);
    } catch (error) {
      reportFault('request body', error); // a body of somebody's own making whose fields throw
    }
  }

  arrived(chunk: Buffer): void {
    if (this.#chunks === undefined) return;
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_UNPARSED_BYTES) this.#chunks = undefined;
    else this.#chunks.push(chunk);
  }
}

// One accessor for all requests. An accessor of its own would give every request a hidden class of its own, and all that reads
// the request would be slow: 27 µs of every request on Fastify (docs/performance.md).
const BODY: PropertyDescriptor & ThisType<WatchedRequest> = {
  configurable: true,
  enumerable: true,
  get() {
    return this[WATCH]?.body;
  },
  set(value: unknown) {
    this[WATCH]?.assigned(value);
  },
};

function watchedPush(this: WatchedRequest, chunk: unknown, encoding?: BufferEncoding): boolean {
  const watch = this[WATCH] as BodyWatch;
  if (chunk instanceof Buffer) watch.arrived(chunk);
  return watch.push.call(this, chunk, encoding);
}
