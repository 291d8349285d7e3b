import { ChunkList } from './chunk-list.js';
import { DEFAULT_MAX_MESSAGE_SIZE, refusal, tooLarge, tooLargeText, type FrameRefusal } from './limits.js';
import { asBuffer } from './utf8.js';

/** Ack of an accepted request: no text. */
export const ACK_ACCEPTED = '';
/** Pool and queue of the worker are full. */
export const ACK_AT_CAPACITY = 'Server overloaded: worker at capacity';
/** The worker is going away. The connection is closed after it. */
export const ACK_POOL_CLOSED = 'Server unavailable: worker pool channel closed';
/** The endpoint path is not UTF-8. */
export const ACK_INVALID_PATH = 'Invalid endpoint path';

const OVERLOADED = 'Server overloaded:';
const UNAVAILABLE = 'Server unavailable:';
const UNKNOWN_ENDPOINT = ['Server unavailable: unknown endpoint ', 'Unknown endpoint: '] as const;

/**
 * Ack for a path nobody serves, in the newer wording: clients of any age understand its prefix, whereas the older
 * `Unknown endpoint: <path>` leaves clients of that age waiting for ever.
 */
export function unknownEndpointAck(endpointPath: string): string {
  return `${UNKNOWN_ENDPOINT[0]}${endpointPath}`;
}

/** Ack for a frame over the limit (bytes). The connection is closed after it. */
export function tooLargeAck(size: number, limit: number): string {
  return `Read error: ${tooLargeText(size, limit)}`;
}

/** What a worker answered to a request frame. */
export interface Ack {
  readonly kind: 'accepted' | 'overloaded' | 'unknown-endpoint' | 'unavailable' | 'rejected';
  /** The ack as it was sent, up to 1024 bytes; empty when accepted. */
  readonly text: string;
}

/** Sorts an ack by its text. Anything that is neither empty nor known is `rejected` (Dynamo takes it for success and hangs). */
export function classifyAck(text: string): Ack {
  if (text === ACK_ACCEPTED) return ACCEPTED;
  if (text.startsWith(OVERLOADED)) return { kind: 'overloaded', text };
  if (UNKNOWN_ENDPOINT.some((prefix) => text.startsWith(prefix))) return { kind: 'unknown-endpoint', text };
  if (text.startsWith(UNAVAILABLE)) return { kind: 'unavailable', text };
  return { kind: 'rejected', text };
}

/** Bytes of an ack's text that are read: a sentence. A peer may send as much as a frame holds. */
const MAX_TEXT = 1024;

/** Reads an ack's bytes, of which the first 1024 are kept. */
export function readAck(bytes: Uint8Array): Ack {
  return classifyAck(asBuffer(bytes).toString('utf8', 0, MAX_TEXT));
}

const ACCEPTED: Ack = Object.freeze({ kind: 'accepted', text: ACK_ACCEPTED });

/**
 * Writes an ack frame: u32 length, then the text.
 * @param maxMessageSize Limit on the whole frame in bytes, default 33554432 (32 MiB).
 * @throws ERR_FRAME_TOO_LARGE when the frame is over the limit.
 */
export function encodeAck(text: string, maxMessageSize: number = DEFAULT_MAX_MESSAGE_SIZE): Buffer {
  const length = Buffer.byteLength(text);
  if (4 + length > maxMessageSize) throw tooLarge(4 + length, maxMessageSize);
  const frame = Buffer.allocUnsafe(4 + length);
  frame.writeUInt32BE(length, 0);
  frame.write(text, 4);
  return frame;
}

/** Reads ack frames from a byte stream: push what arrives, then call next() until it gives undefined. */
export class AckDecoder {
  readonly #limit: number;
  readonly #bytes = new ChunkList();
  /** Length of the text that is awaited; undefined while the length itself is. */
  #length: number | undefined;
  #refusal: FrameRefusal | undefined;

  /** @param maxMessageSize Limit on a whole frame in bytes, default 33554432 (32 MiB). */
  constructor(maxMessageSize: number = DEFAULT_MAX_MESSAGE_SIZE) {
    this.#limit = maxMessageSize;
  }

  /** Whether an ack has begun and is not complete. */
  get midFrame(): boolean {
    return this.#length !== undefined || this.#bytes.length > 0;
  }

  /** Takes over `chunk`, which must not be changed afterwards. */
  push(chunk: Uint8Array): void {
    if (this.#refusal === undefined) this.#bytes.push(chunk);
  }

  /** The next ack, `undefined` when more bytes are needed, or the refusal of an ack over the limit. */
  next(): Ack | FrameRefusal | undefined {
    const length = this.#length ?? this.#readLength();
    if (length === undefined || this.#bytes.length < length) return this.#refusal;
    this.#length = undefined;
    return readAck(this.#bytes.take(length));
  }

  #readLength(): number | undefined {
    if (this.#bytes.length < 4) return undefined;
    const length = this.#bytes.takeUint32();
    if (4 + length > this.#limit) {
      this.#refusal = refusal(4 + length, this.#limit);
      this.#bytes.clear();
      return undefined;
    }
    this.#length = length;
    return length;
  }
}
