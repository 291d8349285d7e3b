'use strict';
/** What it takes to load the package, and to have it installed. */
const { execFileSync } = require('node:child_process');
const { readdirSync, readFileSync, statSync } = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./lib/stage.cjs');
const { summary } = require('./lib/stats.cjs');

const ENTRIES = ['dynamo-tracing', 'dynamo-tracing/fastify', 'dynamo-tracing/transport', 'dynamo-tracing/harness'];

/** Milliseconds of CPU and of time that `require(entry)` takes in a new process that has loaded `@opentelemetry/api`. */
function load(entry) {
  const program = `require('@opentelemetry/api'); const cpu = process.cpuUsage(); const from = performance.now(); try { require(${JSON.stringify(entry)}); } catch (error) { if (error.code !== 'MODULE_NOT_FOUND') throw error; process.exit(3); }
    const time = performance.now() - from; const { user, system } = process.cpuUsage(cpu); console.log(JSON.stringify({ cpu: (user + system) / 1000, time }));`;
  return JSON.parse(execFileSync(process.execPath, ['-e', program], { cwd: __dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
}

function measureEntries(rounds) {
  const there = ENTRIES.filter((entry) => {
    try {
      return load(entry) !== undefined;
    } catch {
      return false; // not built yet
    }
  });
  const samples = there.map(() => []);
  for (let round = 0; round < rounds; round += 1) there.forEach((entry, i) => samples[i].push(load(entry)));
  return there.map((entry, i) => ({ entry, cpu: summary(samples[i].map(({ cpu }) => cpu)), time: summary(samples[i].map(({ time }) => time)) }));
}

function sizeOf(folder) {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, item) => {
    const file = path.join(folder, item.name);
    return sum + (item.isDirectory() ? sizeOf(file) : statSync(file).size);
  }, 0);
}

/** The packages that an installation of the package brings along. */
function runtimeDependencies() {
  const seen = new Map();
  const visit = (manifest) => {
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      if (seen.has(name)) continue;
      const folder = path.join(ROOT, 'node_modules', name);
      seen.set(name, sizeOf(folder));
      visit(JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')));
    }
  };
  visit(JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')));
  return [...seen].map(([name, size]) => ({ name, size }));
}

module.exports = {
  name: 'start-cost',
  run({ quick }) {
    const entries = measureEntries(quick ? 5 : 15);
    const dependencies = runtimeDependencies();
    const total = dependencies.reduce((sum, { size }) => sum + size, 0);
    const tables = [
      {
        title: 'Loading an entry, over @opentelemetry/api alone',
        columns: ['entry', 'CPU ms', 'time ms', 'middle half', 'target'],
        rows: entries.map(({ entry, cpu, time }) => [entry, cpu.median.toFixed(1), time.median.toFixed(1), `${time.low.toFixed(1)} to ${time.high.toFixed(1)}`, entry === 'dynamo-tracing' ? '40' : '']),
      },
      {
        title: 'Installed size of runtime dependencies',
        columns: ['package', 'bytes', 'target'],
        rows: [...dependencies.map(({ name, size }) => [name, size, '']), ['together', total, '5242880']],
      },
    ];
    return { tables, data: { entries, dependencies } };
  },
};
