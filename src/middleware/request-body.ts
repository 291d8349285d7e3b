import type { IncomingMessage } from 'node:http';

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
  if (typeof body === 'string') return readJson(body);
  if (body instanceof Uint8Array) return body.byteLength > MAX_UNPARSED_BYTES ? undefined : readJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  const { model, stream } = body as Record<string, unknown>;
  if (model === undefined && stream === undefined && Object.keys(body).length === 0) return undefined;
  return { model: typeof model === 'string' && model !== '' ? model.slice(0, MAX_MODEL_LENGTH) : undefined, stream: stream === true };
}

function readJson(text: string): BodyFacts | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' ? readBody(parsed) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Sees the body of a request without consuming it: the moment a body parser assigns `req.body`, and, for handlers that read
 * or pipe the request themselves, the bytes as they arrive (kept by reference, dropped once a parsed body is there).
 */
export class BodyWatch {
  #chunks: Buffer[] | undefined = [];
  #bytes = 0;

  constructor(req: IncomingMessage, private readonly onBody: (facts: BodyFacts) => void) {
    this.#watchAssignment(req);
    this.#watchBytes(req);
  }

  /** Facts from the raw bytes, when no parsed body has shown them. Called when the response begins. */
  fromBytes(): BodyFacts | undefined {
    const chunks = this.#chunks;
    this.#chunks = undefined;
    return chunks === undefined || chunks.length === 0 ? undefined : readJson(Buffer.concat(chunks).toString());
  }

  #watchAssignment(req: IncomingMessage & { body?: unknown }): void {
    let current = req.body;
    Object.defineProperty(req, 'body', {
      configurable: true,
      enumerable: true,
      get: () => current,
      set: (value: unknown) => {
        current = value;
        const facts = readBody(value);
        if (facts === undefined) return;
        this.#chunks = undefined;
        this.onBody(facts);
      },
    });
  }

  #watchBytes(req: IncomingMessage): void {
    const push = req.push.bind(req);
    req.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
      if (chunk instanceof Buffer) this.#keep(chunk);
      return push(chunk, encoding);
    };
  }

  #keep(chunk: Buffer): void {
    if (this.#chunks === undefined) return;
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_UNPARSED_BYTES) this.#chunks = undefined;
    else this.#chunks.push(chunk);
  }
}
