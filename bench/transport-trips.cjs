'use strict';
/** Request and ack round trips on one loopback connection between two processes. */
const { Pair } = require('./lib/pair.cjs');
const { interleave } = require('./lib/rounds.cjs');
const { median, summary } = require('./lib/stats.cjs');

const LABELS = {
  'trips gathered': 'hand-written loop: gathered writes, frames encoded and decoded',
  'trips ours': 'client.send',
  'trips bare': 'bare net: the same bytes, made once, and acks',
};
const WARM_UP = { total: 30_000, inFlight: 64 };

async function trips(contenders, effort, job) {
  const start = async (contender) => {
    const pair = await Pair.start(contender);
    await pair.caller.ask('run', WARM_UP);
    return pair;
  };
  return interleave(contenders, effort, start, (pair) => pair.measure(job.total, job));
}

function compared(contenders, samples) {
  return contenders.map((contender, i) => {
    const against = (part) => median(samples[i].map((sample, round) => sample[part] / samples[0][round][part]));
    const of = (part) => summary(samples[i].map((sample) => sample[part]));
    return { contender, cpu: of('cpu'), worker: of('worker').median, caller: of('caller').median, perSecond: of('perSecond'), p50: of('p50'), cpuRatio: against('cpu'), throughput: against('perSecond'), p50Ratio: against('p50') };
  });
}

const thousands = (value) => Math.round(value).toLocaleString('en-US');

module.exports = {
  name: 'transport-trips',
  async run({ quick }) {
    const effort = quick ? { generations: 1, rounds: 5 } : { generations: 1, rounds: 11 };
    const many = { total: quick ? 60_000 : 80_000, inFlight: 64 };
    const one = { total: quick ? 4_000 : 5_000, inFlight: 1, latencies: true };
    const manyOf = ['trips gathered', 'trips ours', 'trips bare'];
    const oneOf = ['trips bare', 'trips ours', 'trips gathered'];
    const at64 = compared(manyOf, await trips(manyOf, effort, many));
    const at1 = compared(oneOf, await trips(oneOf, effort, one));
    const tables = [
      {
        title: 'Round trips, 64 in flight on one connection',
        columns: ['what', 'CPU µs, both sides', 'worker', 'caller', 'CPU ratio', 'a second', 'throughput', 'target'],
        rows: at64.map((row) => [LABELS[row.contender], row.cpu.median.toFixed(2), row.worker.toFixed(2), row.caller.toFixed(2), row.cpuRatio.toFixed(2), thousands(row.perSecond.median), row.throughput.toFixed(2), row.contender === 'trips ours' ? 'at least 0.6' : '']),
      },
      {
        title: 'Round trips, one in flight',
        columns: ['what', 'p50 µs', 'p50 ratio', 'CPU µs, both sides', 'CPU ratio', 'target'],
        rows: at1.map((row) => [LABELS[row.contender], (row.p50.median * 1000).toFixed(1), row.p50Ratio.toFixed(2), row.cpu.median.toFixed(1), row.cpuRatio.toFixed(2), row.contender === 'trips ours' ? 'p50 at most 1.3' : '']),
      },
    ];
    return { tables, data: { at64, at1, effort, many, one } };
  },
};
