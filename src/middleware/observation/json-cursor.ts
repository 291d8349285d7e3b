const QUOTE = 0x22, COMMA = 0x2c, MINUS = 0x2d, DIGIT_0 = 0x30, DIGIT_9 = 0x39;
const ARRAY = 0x5b, BACKSLASH = 0x5c, ARRAY_END = 0x5d, OBJECT = 0x7b, OBJECT_END = 0x7d;

/** A place in JSON text that moves on value by value without reading them. Text that is cut or broken ends the journey. */
export class JsonCursor {
  readonly #ends: Occurrences;
  readonly #arrays: Occurrences;
  readonly #strings: Occurrences;

  constructor(
    readonly text: string,
    /** Where the next character stands; -1 once the text has broken off. */
    public at = 0,
  ) {
    this.#ends = new Occurrences(text, ']');
    this.#arrays = new Occurrences(text, '[');
    this.#strings = new Occurrences(text, '"');
  }

  /** Moves to the next character that is no space and gives its code; gives up at the end of the text. */
  next(): number {
    if (this.at === -1) return -1;
    let code = this.text.charCodeAt(this.at);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = this.text.charCodeAt(++this.at);
    if (Number.isNaN(code)) this.giveUp();
    return code;
  }

  /** The code of what follows the comma here; of what stands here when there is no comma. */
  afterComma(): number {
    const code = this.next();
    if (code !== COMMA) return code === ARRAY_END || code === OBJECT_END ? code : (this.giveUp(), -1);
    this.at += 1;
    return this.next();
  }

  /** The text is broken: every method does nothing from here on. */
  giveUp(): void {
    this.at = -1;
  }

  /** Past the value that comes next. */
  skip(): void {
    const code = this.next();
    if (code === QUOTE) this.skipString();
    else if (code === OBJECT || code === ARRAY) this.#skipContainer();
    else if (this.at !== -1) this.#skipScalar();
  }

  /** Past the string that begins here, by searches for its end. */
  skipString(): void {
    let end = this.text.indexOf('"', this.at + 1);
    while (end !== -1 && isEscaped(this.text, end)) end = this.text.indexOf('"', end + 1);
    this.at = end === -1 ? -1 : end + 1;
  }

  #skipScalar(): void {
    const start = this.at;
    let code = this.text.charCodeAt(this.at);
    while (code > 0x20 && code !== COMMA && code !== OBJECT_END && code !== ARRAY_END) code = this.text.charCodeAt(++this.at);
    // A scalar that the text ends in may have been cut; one of no length is not JSON.
    if (Number.isNaN(code) || this.at === start) this.giveUp();
  }

  #skipContainer(): void {
    let depth = 0;
    do {
      const code = this.text.charCodeAt(this.at);
      if (code === QUOTE) this.skipString();
      else if (code === ARRAY) depth += this.#jumpNumbers() ? 0 : 1;
      else if (code === OBJECT) depth += 1;
      else if (code === OBJECT_END || code === ARRAY_END) depth -= 1;
      if (Number.isNaN(code) || this.at === -1) return this.giveUp();
      if (code !== QUOTE) this.at += 1;
    } while (depth > 0);
  }

  /** An array of numbers is left by one search for its end: an embedding has thousands, and this is a hundred times faster. */
  #jumpNumbers(): boolean {
    const inside = this.at + 1;
    const code = this.text.charCodeAt(inside);
    if (code !== MINUS && !(code >= DIGIT_0 && code <= DIGIT_9)) return false;
    const end = this.#ends.after(inside);
    if (end === Infinity || this.#arrays.after(inside) < end || this.#strings.after(inside) < end) return false;
    this.at = end;
    return true;
  }
}

/** Where a character comes next, asked for ever later places: each part of the text is searched once, however often it is asked. */
class Occurrences {
  #next = -1;

  constructor(private readonly text: string, private readonly character: string) {}

  /** The first occurrence at `at` or later; Infinity when there is none. */
  after(at: number): number {
    if (this.#next >= at) return this.#next;
    const found = this.text.indexOf(this.character, at);
    return (this.#next = found === -1 ? Infinity : found);
  }
}

function isEscaped(text: string, quote: number): boolean {
  let at = quote - 1;
  while (text.charCodeAt(at) === BACKSLASH) at -= 1;
  return (quote - 1 - at) % 2 === 1;
}
