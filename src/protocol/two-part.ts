import { DynamoTracingError } from '../errors/index.js';
import { ChunkList } from './chunk-list.js';
import { DEFAULT_MAX_MESSAGE_SIZE, refusal, tooLarge, type FrameRefusal } from './limits.js';

/** Bytes before the parts: u64 header length, u64 data length, u64 checksum. */
const PREAMBLE = 24;
const NOTHING = Buffer.alloc(0);

/** Which parts of a TwoPart frame hold something. */
export type TwoPartKind = 'header-only' | 'data-only' | 'header-and-data' | 'empty';

/** A TwoPart frame as it was read. Parts are views of what was pushed unless they crossed a chunk boundary. */
export interface TwoPartFrame {
  readonly kind: TwoPartKind;
  readonly header: Buffer;
  readonly data: Buffer;
  /** Bytes of the whole frame. */
  readonly byteLength: number;
  /** The bytes of the whole frame as they came, in order, the data last; only from a decoder that keeps them. */
  readonly raw?: readonly Buffer[] | undefined;
}

/** Settings of {@link encodeTwoPart}. */
export interface TwoPartOptions {
  /** Limit on the whole frame in bytes. Default 33554432 (32 MiB); Dynamo itself has none here. */
  readonly maxSize?: number;
  /**
   * A frame of at most this many bytes is copied into one buffer, which costs less than writing three. Default 0: parts
   * are never copied.
   */
  readonly coalesceBelow?: number;
}

/**
 * Writes a TwoPart frame. The buffers returned are to be written in order; empty parts are left out.
 * The checksum is always 0: release builds of Dynamo write that too, and debug builds check only what is not 0.
 * @throws ERR_FRAME_TOO_LARGE when the frame is over `maxSize`.
 */
export function encodeTwoPart(header: Uint8Array = NOTHING, data: Uint8Array = NOTHING, options: TwoPartOptions = {}): Uint8Array[] {
  const { maxSize = DEFAULT_MAX_MESSAGE_SIZE, coalesceBelow = 0 } = options;
  const size = PREAMBLE + header.length + data.length;
  if (size > maxSize) throw tooLarge(size, maxSize);
  const whole = size <= coalesceBelow;
  const head = Buffer.allocUnsafe(whole ? size : PREAMBLE);
  writeLength(head, header.length, 0);
  writeLength(head, data.length, 8);
  writeLength(head, 0, 16);
  if (whole) {
    head.set(header, PREAMBLE);
    head.set(data, PREAMBLE + header.length);
    return [head];
  }
  const chunks: Uint8Array[] = [head];
  if (header.length > 0) chunks.push(header);
  if (data.length > 0) chunks.push(data);
  return chunks;
}

/** Bytes that a data-only frame of `data` takes at most: a character of text has up to three bytes. */
export function dataFrameRoom(data: Uint8Array | string): number {
  return PREAMBLE + (typeof data === 'string' ? 3 * data.length : data.length);
}

/**
 * Writes a data-only frame into `target` at `start`, where there must be room for it, and gives the position behind it.
 * @throws ERR_FRAME_TOO_LARGE when the frame is over `maxSize`.
 */
export function writeDataFrame(target: Buffer, start: number, data: Uint8Array | string, maxSize: number = DEFAULT_MAX_MESSAGE_SIZE): number {
  const at = start + PREAMBLE;
  const length = typeof data === 'string' ? target.write(data, at, 'utf8') : data.length;
  if (PREAMBLE + length > maxSize) throw tooLarge(PREAMBLE + length, maxSize);
  if (typeof data !== 'string') target.set(data, at);
  for (let index = start; index < at; index += 1) target[index] = 0; // a native call for 24 bytes takes longer
  target.writeUInt32BE(length, start + 12);
  return at + length;
}

function writeLength(head: Buffer, length: number, at: number): void {
  head.writeUInt32BE(Math.floor(length / 0x1_0000_0000), at);
  head.writeUInt32BE(length >>> 0, at + 4);
}

/** Reads TwoPart frames from a byte stream: push what arrives, then call next() until it gives undefined. */
export class TwoPartDecoder {
  readonly #limit: number;
  readonly #keepsRaw: boolean;
  readonly #bytes: ChunkList;
  #inParts = false;
  #headerLength = 0;
  #dataLength = 0;
  #refusal: FrameRefusal | undefined;

  /**
   * @param maxSize Limit on a whole frame in bytes, default 33554432 (32 MiB).
   * @param options `keepRaw`: frames come with their bytes, and rest() has what became no frame. Default false.
   */
  constructor(maxSize: number = DEFAULT_MAX_MESSAGE_SIZE, { keepRaw = false }: { readonly keepRaw?: boolean } = {}) {
    this.#limit = maxSize;
    this.#keepsRaw = keepRaw;
    this.#bytes = new ChunkList(keepRaw);
  }

  /** Whether a frame has begun and is not complete. */
  get midFrame(): boolean {
    return this.#refusal === undefined && (this.#inParts || this.#bytes.length > 0);
  }

  /** Takes over `chunk`, which must not be changed afterwards. */
  push(chunk: Uint8Array): void {
    if (this.#refusal === undefined) this.#bytes.push(chunk);
  }

  /** The next frame, `undefined` when more bytes are needed, or the refusal of a frame over the limit. */
  next(): TwoPartFrame | FrameRefusal | undefined {
    if (!this.#inParts) this.#readPreamble();
    const partsLength = this.#headerLength + this.#dataLength;
    if (!this.#inParts || this.#bytes.length < partsLength) return this.#refusal;
    this.#inParts = false;
    const header = this.#bytes.take(this.#headerLength);
    const data = this.#bytes.take(this.#dataLength);
    return { kind: kindOf(header, data), header, data, byteLength: PREAMBLE + partsLength, raw: this.#bytes.takenBytes() };
  }

  /** Takes the bytes of the frame that is not complete or was refused, when raw bytes are kept. */
  rest(): readonly Buffer[] {
    return this.#bytes.drain();
  }

  #readPreamble(): void {
    if (this.#refusal !== undefined || this.#bytes.length < PREAMBLE) return;
    this.#headerLength = this.#bytes.takeUint64();
    this.#dataLength = this.#bytes.takeUint64();
    // The checksum is not verified: only debug builds of Dynamo fill it in, and TCP has one of its own.
    this.#bytes.takeUint64();
    const size = PREAMBLE + this.#headerLength + this.#dataLength;
    if (size > this.#limit) {
      this.#refusal = refusal(size, this.#limit);
      if (!this.#keepsRaw) this.#bytes.clear();
    } else this.#inParts = true;
  }
}

/**
 * Reads a buffer that is exactly one TwoPart frame, as the payload of a request frame is. The parts are views.
 * @throws ERR_FRAME_MALFORMED when it is cut short or followed by more bytes.
 */
export function decodeTwoPart(bytes: Uint8Array): TwoPartFrame {
  const decoder = new TwoPartDecoder(bytes.length);
  decoder.push(bytes);
  const frame = decoder.next();
  if (frame === undefined || frame.kind === 'refused') throw malformed('cut short');
  if (frame.byteLength !== bytes.length) throw malformed('followed by more bytes');
  return frame;
}

function malformed(reason: string): DynamoTracingError {
  return new DynamoTracingError('ERR_FRAME_MALFORMED', `request envelope is ${reason}`, { reason });
}

function kindOf(header: Buffer, data: Buffer): TwoPartKind {
  if (header.length > 0) return data.length > 0 ? 'header-and-data' : 'header-only';
  return data.length > 0 ? 'data-only' : 'empty';
}
