'use strict';
// Faults that are put into a gateway on purpose, to see that the soak finds them: `npm run soak -- --minutes 0.2 --plant NAME`.
const fs = require('node:fs');
const { ServerResponse } = require('node:http');
const { setInterval } = require('node:timers');

/** Changes every 20th line of the log that has this in it. */
function changeLines(part, change) {
  const { writeSync } = fs;
  let seen = 0;
  fs.writeSync = (fd, bytes, ...rest) => {
    if (fd !== 2 || typeof bytes === 'string') return writeSync(fd, bytes, ...rest);
    const lines = Buffer.from(bytes).toString().split('\n');
    const text = lines.map((line) => (line.includes(part) && (seen += 1) % 20 === 0 ? change(line) : line)).join('\n');
    writeSync(fd, text);
    return bytes.length;
  };
}

/** Runs `step` at the end of every tenth response; when it returns false the response does not end. */
function everyTenthEnd(step) {
  const { end } = ServerResponse.prototype;
  let seen = 0;
  ServerResponse.prototype.end = function ended(...args) {
    if (this.req.method === 'POST' && (seen += 1) % 10 === 0 && step() === false) return this;
    return end.apply(this, args);
  };
}

const COMPLETED = '::request","message":"request completed"';
const kept = [];

const plants = {
  'record-doubled': () => changeLines(COMPLETED, (line) => `${line}\n${line}`),
  'record-lost': () => changeLines(COMPLETED, (line) => line.replace('request completed', 'request over')),
  'record-wrong': () => changeLines(COMPLETED, (line) => line.replace('"status":"success"', '"status":"cancelled"')),
  'record-torn': () => changeLines(COMPLETED, (line) => line.slice(0, 40)),
  'response-hangs': () => everyTenthEnd(() => false),
  'descriptor-leaks': () => everyTenthEnd(() => void fs.openSync('/dev/null')),
  'heap-leaks': () => everyTenthEnd(() => void kept.push(new Array(500_000).fill(0))),
  'handle-leaks': () => everyTenthEnd(() => void setInterval(() => undefined, 60_000)),
  'counter-missed': () => {
    const { Counter } = require('prom-client');
    const { incWithoutExemplar } = Counter.prototype;
    let seen = 0;
    Counter.prototype.incWithoutExemplar = function counted(...args) {
      if ((seen += 1) % 20 !== 0) incWithoutExemplar.apply(this, args);
    };
  },
  'exception-uncaught': () => void setTimeout(() => { throw new Error('planted'); }, 15_000).unref(),
  'rejection-warned': () => void setTimeout(() => process.emitWarning('planted'), 10_000).unref(),
  'stop-ignored': () => {
    const { exit } = process;
    process.exit = (code) => (code === 0 ? undefined : exit(code));
    process.on('SIGTERM', () => setInterval(() => undefined, 60_000));
  },
};

module.exports = { plants };
