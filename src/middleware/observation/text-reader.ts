import type { FactCollector } from './facts.js';
import type { Reader } from './reader.js';

/** Counts the pieces of a plain text. One piece is a whole answer, with no first token and nothing to count. */
export class TextReader implements Reader {
  readonly held = 0;
  isStream = false;
  #firstAt: number | undefined;

  constructor(private readonly facts: FactCollector) {}

  push(_text: string, _isBytes: boolean, nowMs: number): void {
    if (this.#firstAt === undefined) {
      this.#firstAt = nowMs;
      return;
    }
    if (!this.isStream) this.facts.tokens(this.#firstAt);
    this.isStream = true;
    this.facts.tokens(nowMs);
  }

  end(): void {
    if (this.#firstAt !== undefined) this.facts.unaryRead();
  }
}

/** Notes when the bytes of a compressed stream went out: more cannot be told of them. */
export class TimedReader implements Reader {
  readonly held = 0;

  constructor(private readonly facts: FactCollector) {}

  push(_text: string, _isBytes: boolean, nowMs: number): void {
    this.facts.bytes(nowMs);
  }

  end(): void {
    // There is nothing left to read.
  }
}
