/** What is left of a body or event that was longer than the store: its beginning and its end. */
export interface Truncated {
  readonly head: string;
  readonly tail: string;
}

const FIRST_CAPACITY = 1024;
/** A buffer up to this size is kept for the next use. */
const KEPT_CAPACITY = 4096;
const HEAD_LENGTH = 4096;
/** Bytes that are held at most once something was too long. */
const MAX_TRUNCATED = 64 * 1024;

/**
 * Bytes that wait for the rest of their event or body, copied, never more than `limit`. What is longer keeps only its first
 * 4 KiB and its last 15 KiB. Texts that come out have one character for each byte, so a
 * cut inside a UTF-8 character does no harm.
 */
export class BoundedStore {
  #buffer: Buffer | undefined;
  #length = 0;
  #head: string | undefined;

  /** The buffer for a tail is four times as long, so that not every piece moves what is kept. */
  readonly #tail: number;

  constructor(private readonly limit: number) {
    this.#tail = Math.floor((Math.min(limit, MAX_TRUNCATED) - HEAD_LENGTH) / 4);
  }

  get isEmpty(): boolean {
    return this.#length === 0 && this.#head === undefined;
  }

  /** Bytes that are allocated now. */
  get capacity(): number {
    return (this.#buffer?.length ?? 0) + (this.#head?.length ?? 0);
  }

  /** Adds text; `isBytes` says that each character stands for a byte. */
  append(text: string, isBytes: boolean): void {
    const size = isBytes ? text.length : Buffer.byteLength(text);
    if (this.#head === undefined && this.#length + size > this.limit) this.#truncate(text, isBytes);
    if (this.#head !== undefined) return this.#appendToTail(text, isBytes);
    this.#grow(this.#length + size);
    this.#write(text, isBytes);
  }

  /** Everything that was added, and an empty store; undefined when it was too long. */
  take(): string | undefined {
    const text = this.#head === undefined ? this.#text(0, this.#length) : undefined;
    if (text !== undefined) this.#clear();
    return text;
  }

  /** Beginning and end of what was too long, and an empty store. */
  takeTruncated(): Truncated {
    const truncated = { head: this.#head ?? '', tail: this.#text(Math.max(0, this.#length - this.#tail), this.#length) };
    this.#clear();
    return truncated;
  }

  #text(start: number, end: number): string {
    return this.#buffer?.toString('latin1', start, end) ?? '';
  }

  #clear(): void {
    this.#length = 0;
    this.#head = undefined;
    if (this.#buffer !== undefined && this.#buffer.length > KEPT_CAPACITY) this.#buffer = undefined;
  }

  #write(text: string, isBytes: boolean): void {
    if (this.#buffer !== undefined) this.#length += this.#buffer.write(text, this.#length, isBytes ? 'latin1' : 'utf8');
  }

  #grow(needed: number): void {
    const current = this.#buffer?.length ?? 0;
    if (needed <= current) return;
    // Not from Buffer's pool: a slice of it would keep 8 KiB alive for every open stream.
    const grown = Buffer.allocUnsafeSlow(Math.min(this.limit, Math.max(needed, current * 2, FIRST_CAPACITY)));
    this.#buffer?.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }

  #truncate(text: string, isBytes: boolean): void {
    const stored = this.#text(0, Math.min(this.#length, HEAD_LENGTH));
    const added = stored.length < HEAD_LENGTH ? text.slice(0, HEAD_LENGTH - stored.length) : '';
    this.#head = stored + (isBytes ? copyOf(added) : Buffer.from(added).toString('latin1'));
    const kept = Buffer.allocUnsafeSlow(this.#tail * 4);
    const from = Math.max(0, this.#length - this.#tail);
    this.#length = this.#buffer?.copy(kept, 0, from, this.#length) ?? 0;
    this.#buffer = kept;
  }

  #appendToTail(text: string, isBytes: boolean): void {
    const buffer = this.#buffer as Buffer;
    // A character is at most three bytes, so this always fits behind what is kept of the older bytes.
    const end = text.length > this.#tail ? text.slice(-this.#tail) : text;
    if (this.#length + end.length * 3 > buffer.length) {
      const from = Math.max(0, this.#length - this.#tail);
      buffer.copyWithin(0, from, this.#length);
      this.#length -= from;
    }
    this.#write(end, isBytes);
  }
}

/** A copy that does not keep the text it was cut from alive. */
function copyOf(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
