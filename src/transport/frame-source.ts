import { TwoPartDecoder, type FrameRefusal, type TwoPartFrame } from '../protocol/index.js';

/** The TwoPart frames of a connection, with the count of bytes that were received and not yet read as frames. */
export class FrameSource {
  readonly #decoder: TwoPartDecoder;
  #buffered = 0;

  constructor(maxMessageSize: number) {
    this.#decoder = new TwoPartDecoder(maxMessageSize);
  }

  /** Bytes received and not yet given out. */
  get buffered(): number {
    return this.#buffered;
  }

  push(chunk: Uint8Array): void {
    this.#buffered += chunk.length;
    this.#decoder.push(chunk);
  }

  next(): TwoPartFrame | FrameRefusal | undefined {
    const frame = this.#decoder.next();
    if (frame !== undefined && frame.kind !== 'refused') this.#buffered -= frame.byteLength;
    return frame;
  }
}
