'use strict';
/** A request frame, written and read, against the least that must be done for it: JSON of its headers, there and back. */
const { median, summary } = require('./lib/stats.cjs');
const { HEADERS, PATH, PAYLOAD } = require('./lib/transport-data.cjs');

const TARGET = 1.5;

/** Gives one thing to do for each contender; what it gives back keeps V8 from leaving the work out. */
function contenders() {
  const { encodeRequestFrame, RequestFrameDecoder } = require('dynamo-tracing/transport');
  const decoder = new RequestFrameDecoder();
  const parts = [PAYLOAD];
  const arrived = Buffer.concat(encodeRequestFrame(PATH, HEADERS, parts).chunks);
  return {
    'JSON.stringify + JSON.parse of the headers': () => JSON.parse(JSON.stringify(HEADERS)).traceparent.length,
    'the frame, encoded + decoded': () => {
      const size = encodeRequestFrame(PATH, HEADERS, parts).byteLength;
      decoder.push(arrived);
      return size + decoder.next().byteLength;
    },
    'JSON.stringify of the headers': () => JSON.stringify(HEADERS).length,
    'encoded': () => encodeRequestFrame(PATH, HEADERS, parts).byteLength,
    'decoded': () => {
      decoder.push(arrived);
      return decoder.next().byteLength;
    },
  };
}

function nanoseconds(work, times) {
  let sum = 0;
  const before = process.cpuUsage();
  for (let i = 0; i < times; i += 1) sum += work();
  const { user, system } = process.cpuUsage(before);
  if (sum === 0) throw new Error('nothing was done');
  return ((user + system) * 1000) / times;
}

module.exports = {
  name: 'transport-frames',
  async run({ quick }) {
    const effort = quick ? { rounds: 9, times: 50_000 } : { rounds: 21, times: 100_000 };
    const all = Object.entries(contenders());
    const samples = all.map(() => []);
    for (let round = -3; round < effort.rounds; round += 1) { // The first rounds warm up.
      all.forEach(([, work], i) => {
        const cost = nanoseconds(work, effort.times);
        if (round >= 0) samples[i].push(cost);
      });
    }
    const data = all.map(([label], i) => ({ label, nanoseconds: summary(samples[i]), ratio: median(samples[i].map((cost, round) => cost / samples[0][round])) }));
    const table = {
      title: 'Request frame: five headers, 512 bytes of payload',
      columns: ['what', 'CPU ns', 'middle half', 'ratio', 'target'],
      rows: data.map(({ label, nanoseconds: { median: middle, low, high }, ratio }, i) => [label, middle.toFixed(0), `${low.toFixed(0)} to ${high.toFixed(0)}`, ratio.toFixed(2), i === 1 ? `at most ${TARGET}` : '']),
    };
    return { tables: [table], data: { results: data, effort } };
  },
};
