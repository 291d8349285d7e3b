'use strict';
// Is our MessagePack writer as fast as @msgpack/msgpack for what the transport sends? Run after `npm run build`: node bench/msgpack.cjs [rounds]
// Both write every shape in every round, in turn. Median CPU of a message, and the middle half of the ratios of the rounds.
// The library does less: it asks for no toJSON, and writes whole numbers from 2^32 on as floats.
const { Encoder } = require('@msgpack/msgpack');
const { encodeMsgpack } = require('../dist/protocol/msgpack-encode.js');
const { summary } = require('./lib/stats.cjs');
const { table } = require('./lib/table.cjs');
const { ITEM } = require('./lib/transport-data.cjs');

const ROUNDS = Number(process.argv[2] ?? 21);
/** Bytes that each contender writes in a round, about. */
const BYTES = 400_000;

/** A PreprocessedRequest, as a frontend sends it to a worker. */
const request = (tokens) => ({
  model: 'meta-llama/Llama-3.3-70B-Instruct',
  token_ids: Array.from({ length: tokens }, (_, index) => (index * 7919) % 128_000),
  stop_conditions: { max_tokens: 256, stop: null, stop_token_ids_hidden: [128001, 128009], min_tokens: null, ignore_eos: false },
  sampling_options: { n: 1, temperature: 0.7, top_p: 0.95, seed: null, frequency_penalty: 0 },
  output_options: { logprobs: null, skip_special_tokens: true },
  eos_token_ids: [128001, 128008, 128009],
  annotations: [],
});
const item = (data) => ({ data: { data }, complete_final: false });

const SHAPES = {
  'request of 24 tokens': request(24),
  'request with 4 KiB of tokens': request(900),
  'item of a chat': item(ITEM),
  'item of an engine': item({ token_ids: [4711], tokens: [' token'], text: ' token', cum_log_probs: -1.25, log_probs: [-0.53], finish_reason: null, index: 0 }),
  'text of 64 KiB, ASCII': { text: 'The quick brown fox jumps. '.repeat(2428) },
  'text of 64 KiB, other letters': { text: 'Füchse springen über 漢字. '.repeat(2114) },
};

function micros(encode, value, batch) {
  const before = process.cpuUsage();
  for (let n = 0; n < batch; n += 1) encode(value);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / batch;
}

const library = new Encoder({ useBigInt64: true, ignoreUndefined: true });
const rows = Object.entries(SHAPES).map(([label, value]) => {
  const { length } = encodeMsgpack(value);
  const batch = Math.max(20, Math.round(BYTES / length));
  const samples = [];
  for (let round = -5; round < ROUNDS; round += 1) {
    const pair = [() => micros(encodeMsgpack, value, batch), () => micros((given) => library.encode(given), value, batch)];
    const times = round % 2 === 0 ? pair.map((run) => run()) : pair.reverse().map((run) => run()).reverse();
    if (round >= 0) samples.push(times);
  }
  const [ours, theirs, ratio] = [samples.map(([a]) => a), samples.map(([, b]) => b), samples.map(([a, b]) => b / a)].map(summary);
  return [label, length, ours.median.toFixed(2), theirs.median.toFixed(2), ratio.median.toFixed(2), `${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}`];
});
console.log(table({ title: 'MessagePack', columns: ['message', 'bytes', 'ours, CPU µs', '@msgpack/msgpack', 'times as fast', 'middle half'], rows }));
