'use strict';

/**
 * All contenders in turn, round after round: what the machine does meanwhile meets them all. Every other round goes
 * backwards, so that nobody always follows the same neighbour; processes are started anew between generations.
 * `start(contender)` gives what `measure(started, contender)` is called with and `stop()` ends. Gives the samples of each.
 */
async function interleave(contenders, { generations, rounds }, start, measure) {
  const samples = contenders.map(() => []);
  for (let generation = 0; generation < generations; generation += 1) {
    const started = [];
    try {
      for (const contender of contenders) started.push(await start(contender));
      for (let round = 0; round < rounds; round += 1) {
        const order = contenders.map((_, i) => i);
        if (round % 2 === 1) order.reverse();
        for (const i of order) samples[i].push(await measure(started[i], contenders[i]));
      }
    } finally {
      await Promise.all(started.map((one) => one.stop()));
    }
  }
  return samples;
}

module.exports = { interleave };
