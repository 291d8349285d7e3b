'use strict';
/** Items of one response, streamed from a worker process to a caller process, json parsed on arrival in every row. */
const { Pair } = require('./lib/pair.cjs');
const { interleave } = require('./lib/rounds.cjs');
const { median, summary } = require('./lib/stats.cjs');

const LABELS = {
  'stream bare frames': 'bare net: frames made once, gathered',
  'stream bare encoding': 'bare net, each item through JSON.stringify',
  'stream bare blocks': 'bare net: blocks of 64 KiB made once',
  'stream ours': 'generate, from an async generator',
  'stream ours, plain generator': 'generate, from a plain generator',
};
const CONTENDERS = Object.keys(LABELS);
const WARM_UP = { items: 40_000 };

async function start(contender) {
  const pair = await Pair.start(contender);
  await pair.caller.ask('run', WARM_UP);
  return pair;
}

const thousands = (value) => Math.round(value).toLocaleString('en-US');

module.exports = {
  name: 'transport-streams',
  async run({ quick }) {
    const effort = quick ? { generations: 1, rounds: 7, items: 50_000 } : { generations: 2, rounds: 9, items: 100_000 };
    const samples = await interleave(CONTENDERS, effort, start, (pair) => pair.measure(effort.items, { items: effort.items }));
    const against = (i, part) => median(samples[i].map((sample, round) => sample[part] / samples[0][round][part]));
    const results = CONTENDERS.map((contender, i) => {
      const of = (part) => summary(samples[i].map((sample) => sample[part]));
      return { contender, cpu: of('cpu'), worker: of('worker').median, caller: of('caller').median, perSecond: of('perSecond'), cpuRatio: against(i, 'cpu'), throughput: against(i, 'perSecond') };
    });
    const table = {
      title: 'Streamed items of 200 bytes, one response',
      columns: ['what', 'CPU µs an item, both sides', 'worker', 'caller', 'CPU ratio', 'items a second', 'throughput', 'target'],
      rows: results.map((row) => [LABELS[row.contender], row.cpu.median.toFixed(2), row.worker.toFixed(2), row.caller.toFixed(2), row.cpuRatio.toFixed(2), thousands(row.perSecond.median), row.throughput.toFixed(2), row.contender.startsWith('stream ours') ? 'at least 0.5' : '']),
    };
    return { tables: [table], data: { results, effort } };
  },
};
