import type { IncomingMessage } from 'node:http';
import { reportFault } from '../internal/index.js';
import { ChunkList } from '../protocol/index.js';
import type { Shape } from './dialects/index.js';
import { FormScanner, formBoundary } from './form-scanner.js';
import { pickJson } from './observation/index.js';

/** What a request's body asks for. */
export interface BodyFacts {
  readonly model: string | undefined;
  /** Undefined when the body does not say: then the response may. */
  readonly stream: boolean | undefined;
}

const MAX_MODEL_LENGTH = 256;
/** A JSON body that nobody parses is read up to this size; a larger one stays unread. */
const MAX_UNPARSED_BYTES = 1024 * 1024;

const BODY = Symbol.for('dynamo-tracing.request-body.v1');

type WatchedRequest = Pick<IncomingMessage, 'headers' | 'push'> & { body?: unknown; [BODY]?: RequestBody };

/**
 * The one owner of what a request asks for, wherever that shows first: a body that a parser assigned before us or assigns to
 * `req.body`, one that a framework hands over, or the bytes (JSON, form fields) as a handler or proxy reads them. The bytes are kept by
 * reference, many small pieces gathered, and only until something is known. Nothing is consumed.
 */
export class RequestBody {
  /** What `req.body` holds. */
  value: unknown;
  /** `push` as it stood on the request before. */
  readonly push: IncomingMessage['push'];
  #facts: BodyFacts | undefined;
  #form: FormScanner | undefined;
  #chunks: ChunkList | undefined;
  #isParsed = false;
  #hasEnded = false;

  /** `known` is called once, as soon as there are facts. */
  constructor(req: Pick<IncomingMessage, 'headers' | 'push'>, private readonly known: (facts: BodyFacts) => void) {
    const watched = req as WatchedRequest;
    this.value = watched.body;
    this.push = req.push;
    const boundary = formBoundary(req.headers['content-type']);
    if (boundary === undefined) this.#chunks = new ChunkList();
    else this.#form = new FormScanner(boundary, ['model', 'stream']);
    watched[BODY] = this;
    Object.defineProperty(req, 'body', ACCESSOR);
    req.push = watchedPush;
  }

  /** Undefined while nothing of the body is known. */
  get facts(): BodyFacts | undefined {
    return this.#facts;
  }

  /** The whole body has come, and it is one that asks for something. */
  get isUnderstood(): boolean {
    return this.#facts !== undefined && (this.#isParsed || this.#hasEnded);
  }

  /** Takes a body that somebody has parsed. */
  parsed(body: unknown): void {
    try {
      if (this.#facts !== undefined) return;
      const facts = readBody(body);
      this.#isParsed = facts !== undefined;
      this.#take(facts);
    } catch (error) {
      reportFault('request body', error); // a body of somebody's own making whose fields throw
    }
  }

  /** The response begins or has ended: what is there must do. */
  settle(): void {
    if (this.value !== undefined) this.parsed(this.value); // a parser may have filled it field by field
    if (this.#facts === undefined) this.#take(this.#form === undefined ? this.#fromBytes() : factsOfForm(this.#form));
    this.#chunks = undefined;
    this.#form = undefined;
  }

  arrived(chunk: unknown): void {
    if (chunk === null) this.#hasEnded = true;
    if (!(chunk instanceof Buffer)) return;
    if (this.#form !== undefined) this.#form.push(chunk);
    else if (this.#chunks !== undefined) {
      if (this.#chunks.length + chunk.length > MAX_UNPARSED_BYTES) this.#chunks = undefined;
      else this.#chunks.push(chunk);
    }
  }

  #take(facts: BodyFacts | undefined): void {
    if (facts === undefined) return;
    this.#facts = facts;
    this.#chunks = undefined;
    this.#form = undefined;
    this.known(facts);
  }

  #fromBytes(): BodyFacts | undefined {
    const length = this.#chunks?.length ?? 0;
    return length === 0 ? undefined : readJson(this.#chunks?.take(length).toString('latin1') ?? '', true);
  }
}

// One accessor for all requests. An accessor of its own would give every request a hidden class of its own, and all that reads
// the request would be slow: 27 µs of every request on Fastify (docs/performance.md).
const ACCESSOR: PropertyDescriptor & ThisType<WatchedRequest> = {
  configurable: true,
  enumerable: true,
  get() {
    return this[BODY]?.value;
  },
  set(value: unknown) {
    const body = this[BODY];
    if (body === undefined) return;
    body.value = value;
    body.parsed(value);
  },
};

function watchedPush(this: WatchedRequest, chunk: unknown, encoding?: BufferEncoding): boolean {
  const body = this[BODY] as RequestBody;
  try {
    body.arrived(chunk);
  } catch (error) {
    reportFault('request body', error);
  }
  return body.push.call(this, chunk, encoding);
}

/** Reads model and stream flag from a parsed body, or from JSON text or bytes. Undefined when it is neither. */
export function readBody(body: unknown): BodyFacts | undefined {
  if ((typeof body === 'string' || body instanceof Uint8Array) && body.length > MAX_UNPARSED_BYTES) return undefined;
  if (typeof body === 'string') return readJson(body, false);
  if (body instanceof Uint8Array) return readJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1'), true);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  // What a pass-through parser hands on is the stream, not the body.
  if ('pipe' in body || 'getReader' in body) return undefined;
  const { model, stream } = body as Record<string, unknown>;
  if (model === undefined && stream === undefined && Object.keys(body).length === 0) return undefined;
  return factsOf(fieldValue(model), fieldValue(stream));
}

/** @fastify/multipart shows a form field as an object with its value. */
function fieldValue(field: unknown): unknown {
  return typeof field === 'object' && field !== null && 'value' in field ? field.value : field;
}

const SHAPE = { model: 'model', stream: 'stream' } as const satisfies Shape;

/** Without parsing the whole of it: a prompt may be long. */
function readJson(text: string, isBytes: boolean): BodyFacts | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  const { model, stream } = pickJson(text, SHAPE, isBytes);
  if (model === undefined && stream === undefined) return undefined;
  return factsOf(model, stream);
}

function factsOfForm({ fields }: FormScanner): BodyFacts | undefined {
  return fields.size === 0 ? undefined : factsOf(fields.get('model'), fields.get('stream'));
}

function factsOf(model: unknown, stream: unknown): BodyFacts {
  return { model: typeof model === 'string' && model !== '' ? model.slice(0, MAX_MODEL_LENGTH) : undefined, stream: stream === undefined || stream === null ? undefined : stream === true || stream === 'true' };
}
