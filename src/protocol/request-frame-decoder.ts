import { ChunkList } from './chunk-list.js';
import { DEFAULT_MAX_MESSAGE_SIZE, LENGTH_FIELDS, refusal, type FrameRefusal } from './limits.js';
import { readHeaders, type DecodedHeaders, type RequestHeaders } from './request-headers.js';

/** A request frame as it was read. */
export interface RequestFrame {
  readonly kind: 'request';
  /** `undefined` when the path is not UTF-8: the worker acks "Invalid endpoint path" and reads on. */
  readonly endpointPath: string | undefined;
  /** Has no prototype. Empty when `headersMalformed`. */
  readonly headers: RequestHeaders;
  /** The header block was not a JSON object of strings: the request goes on without headers, the caller warns once. */
  readonly headersMalformed: boolean;
  /** The TwoPart envelope: a view of what was pushed unless it crossed a chunk boundary. */
  readonly payload: Buffer;
  /** Bytes of the whole frame. */
  readonly byteLength: number;
  /** The bytes of the whole frame as they came, in order, the payload last; only from a decoder that keeps them. */
  readonly raw?: readonly Buffer[] | undefined;
}

const PATH_LENGTH = 0;
const PATH = 1;
const HEADERS_LENGTH = 2;
const HEADERS = 3;
const PAYLOAD_LENGTH = 4;
const PAYLOAD = 5;

/**
 * Reads request frames from a byte stream: push what arrives, then call next() until it gives undefined. Every length is
 * checked against the limit before the bytes it announces are waited for.
 */
export class RequestFrameDecoder {
  readonly #limit: number;
  readonly #keepsRaw: boolean;
  readonly #bytes: ChunkList;
  #step = PATH_LENGTH;
  /** Bytes of the field that is awaited. */
  #needed = 2;
  #size = 0;
  /** Path of the frame at hand, or of the one before: most frames of a connection name the same few endpoints. */
  #path: string | undefined;
  #headers: DecodedHeaders | undefined;
  #refusal: FrameRefusal | undefined;

  /**
   * @param maxMessageSize Limit on a whole frame in bytes, default 33554432 (32 MiB).
   * @param options `keepRaw`: frames come with their bytes, and rest() has what became no frame. Default false.
   */
  constructor(maxMessageSize: number = DEFAULT_MAX_MESSAGE_SIZE, { keepRaw = false }: { readonly keepRaw?: boolean } = {}) {
    this.#limit = maxMessageSize;
    this.#keepsRaw = keepRaw;
    this.#bytes = new ChunkList(keepRaw);
  }

  /** Whether a frame has begun and is not complete: for the deadline on slow senders, and truncation at end of stream. */
  get midFrame(): boolean {
    return this.#refusal === undefined && (this.#step !== PATH_LENGTH || this.#bytes.length > 0);
  }

  /** Takes over `chunk`, which must not be changed afterwards. */
  push(chunk: Uint8Array): void {
    if (this.#refusal === undefined) this.#bytes.push(chunk);
  }

  /** The next complete frame, `undefined` when more bytes are needed, or the refusal of a frame over the limit. */
  next(): RequestFrame | FrameRefusal | undefined {
    while (this.#refusal === undefined && this.#bytes.length >= this.#needed) {
      switch (this.#step) {
        case PATH_LENGTH: this.#await(PATH, this.#bytes.takeUint16()); break;
        case PATH: this.#readPath(); break;
        case HEADERS_LENGTH: this.#await(HEADERS, this.#bytes.takeUint16()); break;
        case HEADERS: this.#readHeaders(); break;
        case PAYLOAD_LENGTH: this.#await(PAYLOAD, this.#bytes.takeUint32()); break;
        default: return this.#finish();
      }
    }
    return this.#refusal;
  }

  /** Takes the bytes of the frame that is not complete or was refused, when raw bytes are kept. */
  rest(): readonly Buffer[] {
    return this.#bytes.drain();
  }

  /** Waits for a field of `length` bytes if the frame, as far as it is known, stays within the limit. */
  #await(step: number, length: number): void {
    if (step === PATH) this.#size = LENGTH_FIELDS;
    this.#size += length;
    if (this.#size > this.#limit) this.#refuse();
    this.#step = step;
    this.#needed = length;
  }

  #readPath(): void {
    this.#path = this.#bytes.takeText(this.#needed, this.#path);
    this.#step = HEADERS_LENGTH;
    this.#needed = 2;
  }

  #readHeaders(): void {
    this.#headers = readHeaders(this.#bytes.takeText(this.#needed));
    this.#step = PAYLOAD_LENGTH;
    this.#needed = 4;
  }

  #finish(): RequestFrame {
    const payload = this.#bytes.take(this.#needed);
    const { headers, malformed } = this.#headers ?? readHeaders('');
    this.#step = PATH_LENGTH;
    this.#needed = 2;
    return { kind: 'request', endpointPath: this.#path, headers, headersMalformed: malformed, payload, byteLength: this.#size, raw: this.#bytes.takenBytes() };
  }

  #refuse(): void {
    this.#refusal = refusal(this.#size, this.#limit);
    if (!this.#keepsRaw) this.#bytes.clear();
  }
}
