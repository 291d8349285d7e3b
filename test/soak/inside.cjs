'use strict';
// Loaded before the programs of the soak: says what the process holds, blocks its event loop, and ends it with the soak.
const fs = require('node:fs');
const { plants } = require('./plants.cjs');

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** What keeps the event loop alive, by kind. */
function handlesOf() {
  const handles = {};
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
  return handles;
}

const answers = {
  /** Heap after collections, handles, descriptors: between two readings of the discovery store, which is read every second. */
  async measure() {
    for (let n = 0; n < 3; n += 1) {
      globalThis.gc();
      await turn();
    }
    for (let n = 0; n < 1000 && Object.keys(handlesOf()).some((kind) => /^(?:FS|Close)Req/.test(kind)); n += 1) await turn();
    return { heap: process.memoryUsage().heapUsed, handles: handlesOf(), descriptors: fs.readdirSync('/proc/self/fd').length };
  },
  block({ ms }) {
    for (const end = Date.now() + ms; Date.now() < end;);
    return {};
  },
};

process.on('message', async (message) => {
  const answer = await answers[message.op](message);
  if (process.connected) process.send({ id: message.id, ...answer }, () => undefined);
});
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.channel.unref();
if (process.env.SOAK_PLANT) plants[process.env.SOAK_PLANT]();
