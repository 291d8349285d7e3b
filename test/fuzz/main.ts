/** Feeds one target with inputs: `main.ts NAME INPUTS SEED`, or `main.ts NAME --input HEX` for one that failed before. scripts/fuzz.cjs starts it. */
import { check, checkGrowth, type Target } from './target.js';
import { TARGETS } from './targets/index.js';
import { hashOf, Random } from './random.js';

/** How time grows is looked at now and then, in a long run less often: it takes as long as hundreds of inputs. */
const isGrowthDue = (index: number): boolean => index % (index < 20_000 ? 50 : 1000) === 0;
/** Bytes outside the heap at any time; the heap has a limit of its own in scripts/fuzz.cjs. */
const MAX_OUTSIDE = 256 * 1024 * 1024;

function fail(name: string, input: Buffer, seed: string | undefined, error: unknown): void {
  console.error(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  console.error(`as text: ${JSON.stringify(input.toString('latin1').slice(0, 2000))}`);
  console.error(`replay: npm run fuzz -- --target ${name} --input ${input.toString('hex')}${seed === undefined ? '' : `   (seed ${seed})`}`);
  process.exitCode = 1;
}

function fuzz(name: string, target: Target, inputs: number, seed: string): void {
  const begun = process.hrtime.bigint();
  for (let index = 0; index < inputs; index += 1) {
    const random = new Random(hashOf(name, Number(seed) + index));
    const input = target.make(random);
    try {
      check(target, input);
      if (!isGrowthDue(index)) continue;
      checkGrowth(target, input, random);
      if (process.memoryUsage().arrayBuffers > MAX_OUTSIDE) throw new Error(`more than ${MAX_OUTSIDE} bytes are held`);
    } catch (error) {
      return fail(name, (error as { readonly input?: Buffer }).input ?? input, seed, error);
    }
  }
  console.log(`${name}: ${inputs} inputs, ${(Number(process.hrtime.bigint() - begun) / 1e9).toFixed(1)} s`);
}

const [name = '', first = '', second = ''] = process.argv.slice(2);
const target = TARGETS[name];
if (target === undefined) throw new Error(`${name} is not one of ${Object.keys(TARGETS).join(', ')}`);
if (first === '--input') {
  const input = Buffer.from(second, 'hex');
  try {
    check(target, input);
    checkGrowth(target, input, new Random(hashOf(input)));
    console.log(`${name}: this input passes`);
  } catch (error) {
    fail(name, input, undefined, error);
  }
} else fuzz(name, target, Number(first), second);
