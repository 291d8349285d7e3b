'use strict';
// Feeds every decoder and parser with changed inputs: `npm run fuzz`, with `-- --inputs N` (default a million each), `--target NAME`, `--seed N` (default random,
// printed), `--input HEX` to read one input again. As many targets run at once as there are cores, each in a process of its own.
const { spawn } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { TARGETS } = require('../test/fuzz/targets/index.ts');

const root = path.join(__dirname, '..');
/** Megabytes of heap: what grows beyond its bound ends the process. */
const MAX_HEAP = 256;

const { values } = parseArgs({ options: { inputs: { type: 'string', default: '1000000' }, target: { type: 'string' }, seed: { type: 'string' }, input: { type: 'string' } } });
const seed = values.seed ?? String(Math.floor(Math.random() * 2 ** 31));

function run(name) {
  const args = values.input === undefined ? [values.inputs, seed] : ['--input', values.input];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [`--max-old-space-size=${MAX_HEAP}`, '--import', 'tsx', path.join(root, 'test', 'fuzz', 'main.ts'), name, ...args], { cwd: root, stdio: 'inherit' });
    child.on('close', (code, signal) => {
      if (code !== 0 && code !== 1) console.error(`${name}: the process ended with ${code ?? signal}; seed ${seed}`);
      resolve(code === 0);
    });
  });
}

async function main() {
  const left = values.target === undefined ? Object.keys(TARGETS) : [values.target];
  const failed = [];
  const begun = Date.now();
  if (values.input === undefined) console.log(`${left.length} targets, ${values.inputs} inputs each, seed ${seed}`);
  const work = async () => {
    for (let name = left.shift(); name !== undefined; name = left.shift()) if (!(await run(name))) failed.push(name);
  };
  await Promise.all(Array.from({ length: os.availableParallelism() }, work));
  console.log(`${failed.length === 0 ? 'passed' : `failed: ${failed.join(', ')}`}, ${Math.round((Date.now() - begun) / 1000)} s`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

main();
