// `npm run test:mutation -- <folder> [--share 0.25] [--seed 1] [--concurrency 2] [--only <file>]`: changes one thing in the sources at a time and says
// whether a test notices. Prints the score of the folder and what survived, and writes the score into docs/reliability.md.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';

/** What is changed, which tests must notice, the share of the mutants that is expected to take less than 40 minutes on two quiet cores, and the score aimed at. */
const FOLDERS = {
  protocol: { mutate: ['src/protocol/**/*.ts'], tests: ['test/protocol/**/*.test.ts'], share: 1, aim: 95 },
  'trace-context': { mutate: ['src/trace-context/**/*.ts'], tests: ['test/trace-context/**/*.test.ts'], share: 1, aim: 95 },
  middleware: {
    mutate: ['ending', 'upgrade', 'response-watch', 'echoed-ids', 'request-body', 'form-scanner', 'own-fields', 'observation/**/*'].map((name) => `src/middleware/${name}.ts`),
    tests: ['test/middleware/{begin,echoed-ids,ending,fastify,form-scanner,http,own-fields,request-body,response-watch,upgrade,who-cut}.test.ts', 'test/middleware/observation/*.test.ts', 'test/contracts/{endings,watching}.test.ts'],
    share: 0.4,
    aim: 80,
  },
  transport: {
    mutate: ['src/transport/**/*.ts', '!src/transport/nats/**', '!src/transport/discovery/etcd/**'],
    tests: ['test/transport/**/*.test.ts', '!test/transport/nats/**', '!test/transport/**/*.load.test.ts'],
    share: 0.15,
    aim: 80,
  },
};
const DOC = 'docs/reliability.md';

function settings() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { share: { type: 'string' }, seed: { type: 'string', default: '1' }, concurrency: { type: 'string', default: '2' }, only: { type: 'string' } } });
  const name = (positionals[0] ?? '').replace(/^src\//, '').replace(/\/$/, '');
  const folder = FOLDERS[name];
  if (folder === undefined || positionals.length !== 1) throw new Error(`one folder of: ${Object.keys(FOLDERS).join(', ')}`);
  return { name, ...folder, mutate: values.only === undefined ? folder.mutate : [values.only], share: Number(values.share ?? folder.share), seed: values.seed, concurrency: Number(values.concurrency), whole: values.only === undefined };
}

/** Runs Stryker in a folder outside the project and returns its mutants. */
async function mutants({ mutate, tests, share, seed, concurrency }) {
  const folder = mkdtempSync(join(tmpdir(), 'mutation-'));
  // Each mutant would wait for a server of etcd: what needs one is not changed, and its tests are skipped.
  Object.assign(process.env, { ETCD_BINARY: 'none', MUTATION_FILES: join(folder, 'tests.jsonl'), MUTATION_SEED: seed, MUTATION_SHARE: String(share), MUTATION_TESTS: JSON.stringify(tests) });
  try {
    return await new Stryker({
      mutate,
      testRunner: 'jest',
      jest: { projectType: 'custom', configFile: 'scripts/mutation/jest.config.cjs', enableFindRelatedTests: false },
      plugins: ['@stryker-mutator/jest-runner', './scripts/mutation/plugins.mjs'],
      checkers: share < 1 ? ['sample'] : [],
      coverageAnalysis: 'perTest',
      concurrency,
      // A slow machine must not look like a mutant that never ends, because that one counts as noticed.
      timeoutFactor: 6,
      timeoutMS: 90_000,
      dryRunTimeoutMinutes: 40,
      ignorePatterns: ['bench', 'coverage', 'dist', 'test/field'],
      tempDirName: folder,
      reporters: ['survivors', 'progress-append-only'],
      allowConsoleColors: false,
    }).runMutationTest();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function count(results) {
  const taken = results.filter(({ status }) => !['CompileError', 'Ignored'].includes(status));
  const of = (...statuses) => taken.filter(({ status }) => statuses.includes(status)).length;
  const [killed, timedOut, survived] = [of('Killed', 'RuntimeError'), of('Timeout'), of('Survived', 'NoCoverage')];
  return { all: results.length, taken: taken.length, killed, timedOut, survived, score: (100 * (killed + timedOut)) / taken.length, least: (100 * killed) / taken.length };
}

/** The row of this folder takes the place of its row before. */
function write({ name, share, seed }, { all, taken, killed, timedOut, survived, score, least }) {
  const row = [name, all, taken, share < 1 ? seed : 'all', killed, timedOut, survived, `${score.toFixed(1)} %`, `${least.toFixed(1)} %`, process.version.slice(1), new Date().toISOString().slice(0, 10)];
  const text = readFileSync(DOC, 'utf8');
  const line = `| ${row.join(' | ')} |`;
  const before = new RegExp(`^\\| ${name} \\|.*$`, 'm');
  if (!before.test(text)) throw new Error(`${DOC} has no row for ${name}`);
  writeFileSync(DOC, text.replace(before, () => line));
}

const chosen = settings();
const began = Date.now();
const results = await mutants(chosen);
const score = count(results);
console.log(`${chosen.name}: ${score.score.toFixed(1)} % of ${score.taken} mutants noticed (${score.killed} killed, ${score.timedOut} timed out, ${score.survived} survived); aim ${chosen.aim} %`);
console.log(`${score.taken} of ${score.all} mutants taken (share ${chosen.share}, seed ${chosen.seed}) in ${Math.round((Date.now() - began) / 60_000)} minutes`);
if (chosen.whole) write(chosen, score);
