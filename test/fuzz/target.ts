import { isDeepStrictEqual, inspect } from 'node:util';
import { ERROR_TABLE, type ErrorCode } from '../../src/errors/index.js';
import { inPieces } from './mutate.js';
import { hashOf, Random } from './random.js';

/** A decoder or parser under test. */
export interface Target {
  /** A valid input with changes. */
  make(random: Random): Buffer;
  /** Reads an input and returns what it found, in a form that can be compared. Throws what the parser throws, and Error for a rule that is broken. */
  read(pieces: readonly Buffer[]): unknown;
  /** Codes that the parser may throw. Default: none. */
  readonly throws?: readonly ErrorCode[];
  /** What an attacker would repeat, as bytes; parts of the inputs are repeated besides. */
  readonly repeats?: readonly string[];
  /** The input may come in pieces, and is read as the same. Default false. */
  readonly streamed?: boolean;
}

/** Sizes in bytes between which the time for a byte is compared. */
const SMALL = 4096;
const LARGE = 12 * SMALL;
const HUGE = 4 * LARGE;
/** How much more time for a byte LARGE may take than SMALL, and HUGE than LARGE: a square takes 12 and 4 times as much. A bound that only the larger reaches shows in the first alone. */
const MAX_GROWTH = [6, 2.5] as const;
const PIECE = 512;

/** @throws Error that says which rule the target breaks for this input */
export function check(target: Target, input: Buffer): void {
  const whole = outcome(target, [input]);
  if (target.streamed !== true) return;
  const cut = outcome(target, inPieces(new Random(hashOf(input)), input));
  if (!isDeepStrictEqual(cut, whole)) throw new Error(`in pieces it is read as ${inspect(cut, { depth: 6 })}\nwhole as ${inspect(whole, { depth: 6 })}`);
}

function outcome(target: Target, pieces: readonly Buffer[]): unknown {
  try {
    return target.read(pieces);
  } catch (error) {
    const { name, code } = error as { readonly name?: unknown; readonly code?: ErrorCode };
    if (name !== 'DynamoTracingError' || code === undefined || !Object.hasOwn(ERROR_TABLE, code) || target.throws?.includes(code) !== true) throw error;
    return { code };
  }
}

/**
 * Reads the input with a part of it repeated, at several sizes. @throws Error with `input` when a larger one takes far more time for each byte.
 * No time is asserted, only ratios of times that were taken one after the other, each the least of several.
 */
export function checkGrowth(target: Target, whole: Buffer, random: Random): void {
  const input = whole.subarray(0, SMALL / 4); // At every size it is the repeated part that counts.
  const start = placeIn(random, input);
  const own = input.subarray(start, start + 1 + (random.once(2) ? 0 : random.below(32)));
  const part = target.repeats === undefined || random.once(2) ? own : Buffer.from(random.pick(target.repeats), 'latin1');
  if (part.length === 0) return;
  const sized = (size: number): Buffer => repeated(input, start, part, size);
  const [small, large] = [sized(SMALL), sized(LARGE)];
  for (const cut of target.streamed === true ? [HUGE * 2, PIECE] : [HUGE * 2]) {
    const growth = (from: Buffer, to: Buffer, tries: number): number => timePerByte(target, to, cut, tries) / timePerByte(target, from, cut, tries);
    try {
      const isLinear = (tries: number): boolean => growth(small, large, tries) < MAX_GROWTH[0] || growth(large, sized(HUGE), tries) < MAX_GROWTH[1];
      // A busy machine takes the processor away in the middle of a reading: only what is so each time is the parser's.
      if (growth(small, large, 1) < MAX_GROWTH[0] || [4, 5, 5, 8, 8, 12].some(isLinear)) continue;
      throw new Error(`the time for a byte grows with the length of the input (repeated: ${part.toString('hex')}, pieces of ${cut} bytes)`);
    } catch (error) {
      throw Object.assign(error as Error, { input: large });
    }
  }
}

/** The beginning, where a value of JSON or a line begins, or anywhere. */
function placeIn(random: Random, input: Buffer): number {
  const anywhere = random.below(input.length + 1);
  if (random.once(3)) return anywhere;
  const found = random.once(4) ? -1 : input.indexOf(random.pick([':', ',', '[', '\n']), anywhere);
  return found + 1;
}

function repeated(input: Buffer, at: number, part: Buffer, size: number): Buffer {
  const times = Math.ceil(Math.max(size - input.length, 0) / part.length);
  return Buffer.concat([input.subarray(0, at), Buffer.alloc(times * part.length, part), input.subarray(at)]);
}

/** Time of the processor, not of the clock: on a busy machine only long runs are interrupted. A short input is read several times, so that as many bytes are read of each. */
function timePerByte(target: Target, bytes: Buffer, cut: number, tries: number): number {
  const pieces = Array.from({ length: Math.ceil(bytes.length / cut) }, (_, at) => bytes.subarray(at * cut, (at + 1) * cut));
  const times = Math.max(1, Math.round(LARGE / bytes.length));
  let least = Infinity;
  for (let left = tries; left > 0; left -= 1) {
    const begun = process.cpuUsage();
    for (let read = 0; read < times; read += 1) outcome(target, pieces);
    const { user, system } = process.cpuUsage(begun);
    least = Math.min(least, user + system);
  }
  return Math.max(least, 1) / (times * bytes.length);
}
