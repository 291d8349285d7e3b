import { createHash } from 'node:crypto';
import { relative } from 'node:path';
import { PluginKind, declareClassPlugin, declareValuePlugin } from '@stryker-mutator/api/plugin';

const share = Number(process.env.MUTATION_SHARE ?? 1);

/** A number from 0 to 1 that depends on nothing but the seed and the mutant: its file, place and replacement. */
function place({ fileName, location, replacement }) {
  const key = JSON.stringify([process.env.MUTATION_SEED, fileName.replace(/^.*[\\/]src[\\/]/, ''), location, replacement]);
  return createHash('sha256').update(key).digest().readUInt32BE(0) / 2 ** 32;
}

/** Stryker takes every mutant or none; a checker may refuse any of them, so this one refuses those outside the sample. */
const sample = {
  init: async () => undefined,
  check: async (mutants) => Object.fromEntries(mutants.map((mutant) => [mutant.id, place(mutant) < share ? { status: 'passed' } : { status: 'compileError', reason: 'not in the sample' }])),
  group: async (mutants) => [mutants.map(({ id }) => id)],
};

const DOUBTFUL = { Survived: 'survived', NoCoverage: 'reached by no test', Timeout: 'timed out' };

/** Prints each mutant that was not killed as soon as it is known. */
class Survivors {
  onMutantTested({ fileName, location: { start }, mutatorName, replacement, status }) {
    if (!Object.hasOwn(DOUBTFUL, status)) return;
    console.log(`${DOUBTFUL[status]}: ${relative('.', fileName)}:${start.line}:${start.column} ${mutatorName}: ${(replacement ?? '').replace(/\s+/g, ' ').slice(0, 120)}`);
  }
}

export const strykerPlugins = [declareValuePlugin(PluginKind.Checker, 'sample', sample), declareClassPlugin(PluginKind.Reporter, 'survivors', Survivors)];
