import { asBuffer, holdsAscii, utf8Text } from './utf8.js';

const EMPTY = Buffer.alloc(0);
/** A chunk under this many bytes is small: its bookkeeping may cost more than its content. */
const SMALL = 1024;
/** This many small chunks in a row are kept as they came; the next ones are gathered into blocks. */
const SMALL_RUN = 16;
const BLOCK = 8192;

/**
 * A queue of bytes that keeps the chunks it is given and hands out views of them. Bytes are copied only when a field
 * crosses a chunk boundary, and when a peer trickles many small chunks: without that, 32 MiB sent byte by byte would hold
 * gigabytes of chunk objects. Chunks must not be changed after they were pushed; a view keeps its chunk alive.
 */
export class ChunkList {
  #chunks: Buffer[] = [];
  /** Bytes of the first chunk that were already taken. */
  #offset = 0;
  #length = 0;
  #smallRun = 0;
  /** The block that the last chunk is a view of, when small chunks are being gathered. */
  #block: Buffer | undefined;
  /** What was taken since takenBytes() was called last, when that is kept. */
  #taken: Buffer[] | undefined;

  /** @param keepTaken Keeps the bytes of what is taken, for takenBytes() and drain(). Default false. */
  constructor(keepTaken = false) {
    if (keepTaken) this.#taken = [];
  }

  /** Bytes that can be taken. */
  get length(): number {
    return this.#length;
  }

  /** Appends `chunk`. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#length += chunk.length;
    this.#smallRun = chunk.length < SMALL ? this.#smallRun + 1 : 0;
    if (this.#smallRun > SMALL_RUN && this.#chunks.length > 1) this.#gather(chunk);
    else {
      this.#block = undefined;
      this.#chunks.push(asBuffer(chunk));
    }
  }

  /** Takes `count` bytes, which must be there. */
  take(count: number): Buffer {
    if (count === 0) return EMPTY;
    const first = this.#first(count);
    const start = this.#offset;
    const end = start + count;
    if (end > first.length) return this.#takeAcross(count);
    this.#advance(first, end, count);
    return start === 0 && end === first.length ? first : first.subarray(start, end);
  }

  /**
   * Takes `count` bytes as text; `undefined` when they are not UTF-8. They are gone either way. When the text is likely to
   * be `guess`, comparing is cheaper than decoding (25 against 80 ns for an endpoint path).
   */
  takeText(count: number, guess?: string): string | undefined {
    if (count === 0) return '';
    const first = this.#first(count);
    const start = this.#offset;
    const end = start + count;
    if (end > first.length) return utf8Text(this.#takeAcross(count));
    this.#advance(first, end, count);
    return guess !== undefined && guess.length === count && holdsAscii(first, start, guess) ? guess : utf8Text(first, start, end);
  }

  /** Takes two bytes as a big-endian number. */
  takeUint16(): number {
    const first = this.#first(2);
    const at = this.#offset;
    if (at + 2 > first.length) return this.#takeAcross(2).readUInt16BE(0);
    this.#advance(first, at + 2, 2);
    return first.readUInt16BE(at);
  }

  /** Takes four bytes as a big-endian number. */
  takeUint32(): number {
    const first = this.#first(4);
    const at = this.#offset;
    if (at + 4 > first.length) return this.#takeAcross(4).readUInt32BE(0);
    this.#advance(first, at + 4, 4);
    return first.readUInt32BE(at);
  }

  /** Takes eight bytes as a big-endian number: rounded above 2^53, which is enough to compare a length with a limit. */
  takeUint64(): number {
    const first = this.#first(8);
    const at = this.#offset;
    if (at + 8 > first.length) return uint64(this.#takeAcross(8), 0);
    this.#advance(first, at + 8, 8);
    return uint64(first, at);
  }

  /** The bytes that were taken since the last call, unchanged and in order; undefined when they are not kept. */
  takenBytes(): readonly Buffer[] | undefined {
    const taken = this.#taken;
    if (taken !== undefined) this.#taken = [];
    return taken;
  }

  /** Takes everything that is left, with the bytes that takenBytes() has not returned before it. */
  drain(): readonly Buffer[] {
    const [first = EMPTY, ...others] = this.#chunks;
    const left = [...(this.takenBytes() ?? []), first.subarray(this.#offset), ...others];
    this.clear();
    return left;
  }

  /** Drops everything. */
  clear(): void {
    this.#chunks = [];
    this.#offset = this.#length = this.#smallRun = 0;
    this.#block = undefined;
  }

  #first(count: number): Buffer {
    const first = this.#chunks[0];
    if (first === undefined || count > this.#length) throw new RangeError(`${count} bytes asked for, ${this.#length} there`);
    return first;
  }

  #advance(first: Buffer, end: number, count: number): void {
    this.#taken?.push(first.subarray(this.#offset, end));
    this.#length -= count;
    if (end < first.length) this.#offset = end;
    else this.#drop(1, 0);
  }

  /** Forgets the first `count` chunks, `offset` bytes of the next one are taken. */
  #drop(count: number, offset: number): void {
    if (count === 1) this.#chunks.shift();
    else this.#chunks.splice(0, count);
    this.#offset = offset;
    if (this.#chunks.length > 0) return;
    this.#block = undefined;
    this.#smallRun = 0;
  }

  #takeAcross(count: number): Buffer {
    const joined = Buffer.allocUnsafe(count);
    let filled = 0;
    let index = 0;
    let start = this.#offset;
    for (; filled < count; index += 1) {
      const chunk = this.#chunks[index] ?? EMPTY;
      const part = Math.min(chunk.length - start, count - filled);
      chunk.copy(joined, filled, start, start + part);
      filled += part;
      start += part;
      if (start < chunk.length) break;
      start = 0;
    }
    this.#taken?.push(joined);
    this.#length -= count;
    this.#drop(index, start);
    return joined;
  }

  #gather(chunk: Uint8Array): void {
    const last = this.#chunks.length - 1;
    const used = this.#chunks[last]?.length ?? 0;
    if (this.#block !== undefined && used + chunk.length <= BLOCK) {
      this.#block.set(chunk, used);
      this.#chunks[last] = this.#block.subarray(0, used + chunk.length);
      return;
    }
    // allocUnsafeSlow: a block of its own, so that a small view of it cannot keep a shared pool alive.
    this.#block = Buffer.allocUnsafeSlow(BLOCK);
    this.#block.set(chunk, 0);
    this.#chunks.push(this.#block.subarray(0, chunk.length));
  }
}

function uint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4);
}
