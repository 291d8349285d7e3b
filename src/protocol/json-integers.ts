import { fitsWire } from './wire-integer.js';

const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
/** An integer beyond Number.MAX_SAFE_INTEGER has at least this many digits. */
const RUN = 16;
/** No u64 or i64 has more digits than this. */
const MAX_DIGITS = 20;

/**
 * Whether `bytes` holds 16 digits in a row that are not the fraction of a number (log probabilities often are). Such a run
 * covers a multiple of 16, so only every 16th byte is looked at, and its neighbours when it is a digit: this adds a few
 * percent to JSON.parse, and only where it says yes is the text looked at again.
 */
export function hasLongDigitRun(bytes: Uint8Array): boolean {
  for (let at = RUN - 1; at < bytes.length; at += RUN) {
    if (!isDigit(bytes[at])) continue;
    let first = at;
    while (isDigit(bytes[first - 1])) first -= 1;
    while (isDigit(bytes[at + 1])) at += 1;
    if (at - first + 1 >= RUN && bytes[first - 1] !== POINT) return true;
  }
  return false;
}

/**
 * `value`, which is JSON.parse(text), with every integer that lost digits replaced by its BigInt. The text is parsed a
 * second time with those integers in quotes and both results are walked together: where one has a number and the other a
 * string, the string holds the digits. So no string of the message can be taken for a number, whatever it contains.
 */
export function withBigInts(value: unknown, text: string): unknown {
  const quoted = quoteWideIntegers(text);
  return quoted === text ? value : merge(value, JSON.parse(quoted));
}

function merge(value: unknown, quoted: unknown): unknown {
  if (typeof value === 'number') return typeof quoted === 'string' ? BigInt(quoted) : value;
  if (typeof value !== 'object' || value === null) return value;
  const target = value as Record<string | number, unknown>;
  const source = quoted as Record<string | number, unknown>;
  if (Array.isArray(value)) for (let index = 0; index < value.length; index += 1) mergeEntry(target, source, index);
  else for (const key of Object.keys(target)) mergeEntry(target, source, key);
  return value;
}

/** Writing to an own `__proto__` (JSON.parse makes it one) sets that entry, not the prototype. */
function mergeEntry(target: Record<string | number, unknown>, source: Record<string | number, unknown>, key: string | number): void {
  const before = target[key];
  const after = merge(before, source[key]);
  if (after !== before) target[key] = after;
}

/** Puts quotes around integers that a number cannot hold. `text` is known to be valid JSON, which keeps this small. */
function quoteWideIntegers(text: string): string {
  let out = '';
  let copied = 0;
  const token = /"|-?[0-9][0-9.eE+-]*/g;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    if (match[0] === '"') {
      token.lastIndex = endOfString(text, token.lastIndex);
    } else if (isWide(match[0])) {
      out += `${text.slice(copied, match.index)}"${match[0]}"`;
      copied = token.lastIndex;
    }
  }
  return out + text.slice(copied);
}

/** The index after the closing quote of the string whose content begins at `from`. */
function endOfString(text: string, from: number): number {
  let end = text.indexOf('"', from);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end + 1;
}

function isEscaped(text: string, at: number): boolean {
  let slashes = 0;
  while (text[at - 1 - slashes] === '\\') slashes += 1;
  return slashes % 2 === 1;
}

function isWide(token: string): boolean {
  if (token.length < RUN || token.length > MAX_DIGITS || /[.eE]/.test(token)) return false;
  return !Number.isSafeInteger(Number(token)) && fitsWire(BigInt(token));
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}
