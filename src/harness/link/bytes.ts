import type { FrameRefusal } from '../../protocol/index.js';
import type { Lane } from './lane.js';

/** A frame's bytes: everything before its payload or data, and that. */
export interface FrameBytes {
  readonly head: Buffer;
  readonly body: Buffer;
}

/** A decoder of src/protocol that keeps raw bytes. */
interface RawDecoder<F> {
  push(chunk: Uint8Array): void;
  next(): F | FrameRefusal | undefined;
  rest(): readonly Buffer[];
}

/** Calls `onFrame` for the frames that `chunk` completes. Returns the bytes to pass on as they are when the stream cannot be read. */
export function readFrames<F extends { readonly byteLength: number }>(decoder: RawDecoder<F>, chunk: Uint8Array, onFrame: (frame: F) => void): readonly Buffer[] | undefined {
  decoder.push(chunk);
  for (let found = decoder.next(); found !== undefined; found = decoder.next()) {
    if (!('byteLength' in found)) return decoder.rest();
    onFrame(found);
  }
  return undefined;
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

/** Holds frames back and hands several on in one piece. */
export class Merger {
  #held: Buffer[] = [];
  #frames = 0;

  constructor(private readonly lane: Lane) {}

  hold({ head, body }: FrameBytes, until: number): void {
    this.#held.push(head, body);
    this.#frames += 1;
    if (this.#frames >= until) this.flush();
  }

  flush(): void {
    this.lane.send(Buffer.concat(this.#held));
    this.#held = [];
    this.#frames = 0;
  }
}
