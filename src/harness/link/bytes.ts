import type { FrameRefusal, RequestFrameDecoder } from '../../protocol/index.js';
import type { Lane } from './lane.js';

/** A frame's bytes: everything before its payload or data, and that. */
export interface FrameBytes {
  readonly head: Buffer;
  readonly body: Buffer;
}

/** One direction of a connection, read frame by frame. Bytes that are no frame go on as they are. */
export class FrameReader<F extends { readonly byteLength: number }> {
  /** What comes is no frame, or one over the limit: nothing after it can be read. */
  unreadable = false;
  ended = false;

  constructor(
    private readonly decoder: Pick<RequestFrameDecoder, 'push' | 'rest'> & { next(): F | FrameRefusal | undefined },
    private readonly lane: Lane,
    private readonly onFrame: (frame: F) => void,
  ) {}

  push(chunk: Buffer): void {
    if (this.unreadable) return this.lane.push(chunk);
    this.decoder.push(chunk);
    for (let found = this.decoder.next(); found !== undefined; found = this.decoder.next()) {
      if (!('byteLength' in found)) {
        this.unreadable = true;
        return this.#passRest();
      }
      this.onFrame(found);
    }
  }

  end(): void {
    this.ended = true;
    this.#passRest();
    this.lane.end();
  }

  #passRest(): void {
    for (const part of this.decoder.rest()) this.lane.push(part);
  }
}

/** The raw bytes of a frame in two parts; a large body is not copied. */
export function frameBytes(raw: readonly Buffer[] = [], body: Buffer): FrameBytes {
  return { head: Buffer.concat(body.length > 0 ? raw.slice(0, -1) : raw), body };
}

export function joined({ head, body }: FrameBytes): Buffer {
  return Buffer.concat([head, body]);
}

/** A copy with one byte flipped: the `at`th of the `length` bytes from `start`, or the last of them. */
export function flipByte(bytes: Buffer, at: number, start = 0, length = bytes.length): Buffer {
  const copy = Buffer.from(bytes);
  const index = start + Math.min(at, length - 1);
  if (length > 0) copy[index] = (copy[index] ?? 0) ^ 0xff;
  return copy;
}
