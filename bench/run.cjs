'use strict';
/** `npm run bench [-- name ...] [--quick]`: runs the benches, prints their tables, writes results/<date>.json. */
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const { spawnSync } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');
const { ROOT, STAGED, stage } = require('./lib/stage.cjs');
const { table } = require('./lib/table.cjs');

/** A bench of this folder is a file that exports `name` and `run({ quick })`, which gives `{ tables, data }`. */
const BENCHES = ['http-cost', 'stream-cost', 'start-cost', 'pieces', 'transport-frames', 'transport-trips', 'transport-streams', 'transport-load'];
/** Benches that are programs of their own and print what they found. */
const PROGRAMS = ['sse-scanner', 'msgpack', 'harness-start'];
const ENDINGS = ['.cjs', '.mjs', '.js', '.ts', '.cts', '.mts'];

function program(name) {
  const file = ENDINGS.map((ending) => path.join(__dirname, name + ending)).find(existsSync);
  if (file === undefined) return [];
  return [{
    name,
    run: () => {
      const typescript = /ts$/.test(file) ? ['--import', 'tsx'] : [];
      const { stdout, status } = spawnSync(process.execPath, [...typescript, file], { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
      if (status !== 0) throw new Error(`${path.basename(file)} ended with ${status}`);
      return { text: stdout, data: stdout.split('\n') };
    },
  }];
}

function machine() {
  const [cpu] = os.cpus();
  return { node: process.version, cpu: cpu?.model, cores: os.cpus().length, platform: `${os.platform()} ${os.release()}`, loadAtStart: os.loadavg() };
}

const versions = () => JSON.parse(readFileSync(path.join(__dirname, 'package.json'), 'utf8')).dependencies;

async function main(args) {
  const quick = args.includes('--quick');
  const wanted = args.filter((arg) => !arg.startsWith('--'));
  const all = [...BENCHES.map((name) => require(`./${name}.cjs`)), ...PROGRAMS.flatMap(program)];
  const chosen = wanted.length === 0 ? all : all.filter(({ name }) => wanted.includes(name));
  if (chosen.length === 0) throw new Error(`there are: ${all.map(({ name }) => name).join(', ')}`);
  // BENCH_DIST measures another build: a directory with dist/ and package.json.
  stage(process.env.BENCH_DIST);
  const results = { date: new Date().toISOString(), machine: machine(), versions: versions(), quick };
  for (const bench of chosen) {
    const { tables = [], text = '', data } = await bench.run({ quick, staged: STAGED });
    console.log(tables.map(table).join('\n') + text);
    results[bench.name] = data;
  }
  const file = path.join(__dirname, 'results', `${results.date.slice(0, 19).replace(/:/g, '-')}.json`);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, null, 1)}\n`);
  console.log(`written: ${path.relative(ROOT, file)}`);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
