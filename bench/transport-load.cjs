'use strict';
/** Whole requests of eight items each: what one costs with how many at a time, and with how many workers. */
const { Pair } = require('./lib/pair.cjs');
const { interleave } = require('./lib/rounds.cjs');
const { median, summary } = require('./lib/stats.cjs');

const ITEMS = 8;
const ROWS = [
  { inFlight: 1, workers: 1 },
  { inFlight: 10, workers: 1 },
  { inFlight: 100, workers: 1, base: true },
  { inFlight: 1000, workers: 1 },
  { inFlight: 100, workers: 10 },
  { inFlight: 100, workers: 100 },
];

module.exports = {
  name: 'transport-load',
  async run({ quick }) {
    const effort = quick ? { generations: 1, rounds: 5, requests: 2000 } : { generations: 1, rounds: 9, requests: 2000 };
    const start = async ({ inFlight, workers }) => {
      const pair = await Pair.start('load', [String(workers)]);
      await pair.caller.ask('run', { total: 2000, inFlight, items: ITEMS });
      return pair;
    };
    const samples = await interleave(ROWS, effort, start, (pair, { inFlight }) => pair.measure(effort.requests, { total: effort.requests, inFlight, items: ITEMS }));
    const base = samples[ROWS.findIndex((row) => row.base)];
    const results = ROWS.map((row, i) => {
      const of = (part) => summary(samples[i].map((sample) => sample[part]));
      return { ...row, cpu: of('cpu'), worker: of('worker').median, caller: of('caller').median, perSecond: of('perSecond').median, ratio: median(samples[i].map(({ cpu }, round) => cpu / base[round].cpu)) };
    });
    const table = {
      title: `Requests of ${ITEMS} items: cost against concurrency and workers`,
      columns: ['in flight', 'workers', 'CPU µs a request, both sides', 'middle half', 'worker', 'caller', 'ratio to 100 and 1', 'requests a second'],
      rows: results.map((row) => [row.inFlight, row.workers, row.cpu.median.toFixed(0), `${row.cpu.low.toFixed(0)} to ${row.cpu.high.toFixed(0)}`, row.worker.toFixed(0), row.caller.toFixed(0), row.ratio.toFixed(2), Math.round(row.perSecond)]),
      note: 'Workers of one row share a process. Target: flat within 20 %.',
    };
    return { tables: [table], data: { results, effort } };
  },
};
