'use strict';
const { fork } = require('node:child_process');
const { openSync } = require('node:fs');
const path = require('node:path');

/**
 * A server in a process of its own. Both its outputs go to /dev/null: records are made and written in full, and cost what a
 * write costs. Talks over IPC: `ask('usage')` and the like.
 */
class Child {
  #process;
  #waiting = [];

  constructor(file, args, { env = {}, execArgv = [] } = {}) {
    const nowhere = openSync('/dev/null', 'w');
    this.name = args.join(' ');
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(DYN_|OTEL_|NODE_OPTIONS)/.test(key)));
    this.#process = fork(path.join(__dirname, '..', file), args, { env: { ...inherited, NODE_ENV: 'production', ...env }, execArgv, stdio: ['ignore', nowhere, process.env.BENCH_STDERR === '1' ? 'inherit' : nowhere, 'ipc'] });
    this.#process.on('message', (message) => {
      if (message.fatal !== undefined) this.#fail(new Error(`${this.name}: ${message.fatal}`));
      else this.#waiting.shift()?.resolve(message);
    });
    this.#process.on('exit', (code, signal) => this.#fail(new Error(`${this.name} ended (${code ?? signal})`)));
  }

  #fail(error) {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  next() {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  ask(what, more = {}) {
    const answer = this.next();
    this.#process.send({ what, ...more });
    return answer;
  }

  /** Lets the process end by itself, so that profiles are written; ends it when it does not. */
  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.send({ what: 'stop' });
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), 5000);
    await gone;
    clearTimeout(timer);
  }
}

/** The server's side: answers `usage`, `memory` and `stop`, and what else `more` can do. */
function serve(more = {}) {
  const answers = {
    usage: () => process.cpuUsage(),
    memory: () => {
      for (let i = 0; i < 4; i += 1) globalThis.gc?.();
      return process.memoryUsage();
    },
    stop: () => process.exit(0),
    ...more,
  };
  process.on('message', async ({ what, ...rest }) => process.send(await answers[what](rest)));
  process.on('uncaughtException', (error) => process.send({ fatal: error?.stack ?? String(error) }, () => process.exit(1)));
  process.on('disconnect', () => process.exit(0));
}

module.exports = { Child, serve };
