'use strict';
// How long a test waits for its harness: `startHarness()` and one worker that answers, in memory and over TCP; then its close.
// Run: node bench/harness-start.cjs [rounds]. Transports take turns, so that whatever else the machine does falls on both.
require('tsx/cjs');
const { startHarness } = require('../src/harness.ts');

const ROUNDS = Number(process.argv[2] ?? 300);
const WARM_UP = 50;
const LIMITS = { memory: 5, tcp: 15 };

async function startOnce(transport) {
  const begun = performance.now();
  const harness = await startHarness({ transport });
  await harness.worker('dynamo.backend.generate');
  const started = performance.now();
  await harness.close();
  return { start: started - begun, close: performance.now() - started };
}

function quantile(values, share) {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)].toFixed(2);
}

async function main() {
  const times = { memory: [], tcp: [] };
  for (let round = -WARM_UP; round < ROUNDS; round += 1) {
    for (const transport of Object.keys(times)) {
      const taken = await startOnce(transport);
      if (round >= 0) times[transport].push(taken);
    }
  }
  console.log(`\nharness and worker, ${ROUNDS} starts each after ${WARM_UP} to warm up, milliseconds\n`);
  console.log('| transport | start, median | start, p95 | close, median | to reach |\n| --- | --- | --- | --- | --- |');
  for (const [transport, limit] of Object.entries(LIMITS)) {
    const starts = times[transport].map(({ start }) => start);
    console.log(`| ${transport} | ${quantile(starts, 0.5)} | ${quantile(starts, 0.95)} | ${quantile(times[transport].map(({ close }) => close), 0.5)} | under ${limit} |`);
  }
}

void main();
