'use strict';
const { Child } = require('./child.cjs');

const FILE = 'servers/transport.cjs';

/** A worker and its caller, two processes that talk over loopback. */
class Pair {
  static async start(contender, more = []) {
    const execArgv = process.env.BENCH_PROFILE === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${process.env.BENCH_PROFILE}`];
    const pair = new Pair();
    pair.worker = new Child(FILE, ['worker', contender, ...more], { execArgv });
    pair.caller = new Child(FILE, ['caller', contender], { execArgv });
    try {
      const [{ to }] = await Promise.all([pair.worker.next(), pair.caller.next()]);
      await pair.caller.ask('connect', { to });
      return pair;
    } catch (error) {
      await pair.stop();
      throw error;
    }
  }

  /** Runs one job of so many units: CPU microseconds of both processes for each, and how many a second. */
  async measure(units, job) {
    const before = await this.#usage();
    const { seconds, p50 } = await this.caller.ask('run', job);
    const after = await this.#usage();
    const [worker, caller] = before.map((cpu, i) => (after[i] - cpu) / units);
    return { cpu: worker + caller, worker, caller, perSecond: units / seconds, p50 };
  }

  async #usage() {
    const both = await Promise.all([this.worker.ask('usage'), this.caller.ask('usage')]);
    return both.map(({ user, system }) => user + system);
  }

  async stop() {
    await Promise.all([this.caller.stop(), this.worker.stop()]);
  }
}

module.exports = { Pair };
