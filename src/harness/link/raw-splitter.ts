/** An incremental decoder of src/protocol, as far as it is used here. */
interface FrameDecoder<F> {
  push(chunk: Uint8Array): void;
  next(): F | { readonly kind: 'refused' } | undefined;
}

/** A frame with the very bytes it came in. */
export interface RawFrame<F> {
  readonly frame: F;
  readonly raw: Buffer;
}

/**
 * Cuts a byte stream at its frames and keeps their bytes as they were: a link must hand on what it does not change. After
 * bytes that are no frame everything passes uncut.
 */
export class RawSplitter<F extends { readonly byteLength: number }> {
  #pending: Buffer = Buffer.alloc(0);
  #broken = false;

  constructor(private readonly decoder: FrameDecoder<F>) {}

  /** Whole frames that `chunk` completes. When the stream cannot be read, `rest` is what to pass on as it is. */
  push(chunk: Uint8Array): { readonly frames: readonly RawFrame<F>[]; readonly rest: Buffer | undefined } {
    // The decoder keeps views of what it is pushed, and the bytes are kept here too.
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#broken) return { frames: [], rest: bytes };
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    this.decoder.push(bytes);
    const frames: RawFrame<F>[] = [];
    for (let found = this.decoder.next(); found !== undefined; found = this.decoder.next()) {
      if ('byteLength' in found) frames.push({ frame: found, raw: this.#take(found.byteLength) });
      else {
        this.#broken = true;
        return { frames, rest: this.#take(this.#pending.length) };
      }
    }
    return { frames, rest: undefined };
  }

  /** What has come of a frame that is not complete. */
  flush(): Buffer {
    return this.#take(this.#pending.length);
  }

  #take(length: number): Buffer {
    const taken = this.#pending.subarray(0, length);
    this.#pending = this.#pending.subarray(length);
    return taken;
  }
}
