'use strict';
/** One side of a transport bench, in a process of its own: `transport.cjs <worker | caller> <contender>`. */
const { spawnSync } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');
const { RequestPlaneClient, RequestPlaneServer, tcpNetwork } = require('dynamo-tracing/transport');
const { streamCaller, streamWorker, tripCaller, tripWorker } = require('../lib/bare-transport.cjs');
const { serve } = require('../lib/child.cjs');
const { HEADERS, ITEM, PATH, PAYLOAD } = require('../lib/transport-data.cjs');

const LOOPBACK = '127.0.0.1';
const makeClient = () => new RequestPlaneClient({ responseHost: LOOPBACK });

/** The package's own reading of frames and writing of acks on a real socket, with nothing behind it: the request plane alone. */
async function ackingServer() {
  const { ServerConnection } = require(path.join(path.dirname(require.resolve('dynamo-tracing/transport')), 'transport/server/server-connection.js'));
  const settings = { maxMessageSize: 33_554_432, idleTimeoutMs: 600_000, frameTimeoutMs: 30_000 };
  const admit = ({ headers }) => {
    if (headers.traceparent === undefined) throw new Error('a header is missing');
    return '';
  };
  return (await tcpNetwork({ env: {} }).listen(LOOPBACK, 0, (socket) => new ServerConnection(socket, admit, settings))).port;
}

async function streamingServer(handler, count = 1) {
  const addresses = [];
  for (let i = 0; i < count; i += 1) {
    const server = new RequestPlaneServer({ host: LOOPBACK });
    await server.listen();
    addresses.push(server.endpoint('dynamo.backend.generate', handler).address);
  }
  return addresses;
}

async function* items({ items: count }) {
  for (let i = 0; i < count; i += 1) yield ITEM;
}

function* itemsAtOnce({ items: count }) {
  for (let i = 0; i < count; i += 1) yield ITEM;
}

/** Gives what the caller has to know. */
const WORKERS = {
  'trips ours': ackingServer,
  'trips gathered': () => tripWorker({ decode: true }),
  'trips bare': () => tripWorker({ decode: false }),
  'stream ours': () => streamingServer(items),
  'stream ours, plain generator': () => streamingServer(itemsAtOnce),
  'stream bare blocks': () => streamWorker('blocks'),
  'stream bare frames': () => streamWorker('frames'),
  'stream bare encoding': () => streamWorker('encoding'),
  load: (workers) => streamingServer(items, workers),
};

/** Keeps `inFlight` of `total` jobs going. */
async function keepGoing(total, inFlight, job) {
  let begun = 0;
  const chain = async () => {
    while (begun < total) await job(begun++);
  };
  await Promise.all(Array.from({ length: inFlight }, chain));
}

function ourTrips(port) {
  const client = makeClient();
  const address = `${LOOPBACK}:${port}/${PATH}`;
  return ({ total, inFlight, times }) => keepGoing(total, inFlight, async (index) => {
    if (times !== undefined) times[index] = performance.now();
    await client.send(address, HEADERS, [PAYLOAD]);
    if (times !== undefined) times[index] = performance.now() - times[index];
  });
}

function ourStream([address]) {
  const client = makeClient();
  return async ({ items: wanted }) => {
    let read = 0;
    for await (const item of client.generate(address, { items: wanted })) if (item !== undefined) read += 1;
    if (read !== wanted) throw new Error(`${read} items of ${wanted}`);
  };
}

function ourLoad(addresses) {
  const client = makeClient();
  return ({ total, inFlight, items: wanted }) => keepGoing(total, inFlight, async (index) => {
    let read = 0;
    for await (const item of client.generate(addresses[index % addresses.length], { items: wanted })) if (item !== undefined) read += 1;
    if (read !== wanted) throw new Error(`${read} items of ${wanted}`);
  });
}

const CALLERS = {
  'trips ours': ourTrips,
  'trips gathered': (port) => tripCaller(port, { encode: true }),
  'trips bare': (port) => tripCaller(port, { encode: false }),
  'stream ours': ourStream,
  'stream ours, plain generator': ourStream,
  'stream bare blocks': streamCaller,
  'stream bare frames': streamCaller,
  'stream bare encoding': streamCaller,
  load: ourLoad,
};

async function runTimed(caller, { latencies = false, ...job }) {
  const times = latencies ? new Array(job.total) : undefined;
  const begun = performance.now();
  await caller({ ...job, times });
  const seconds = (performance.now() - begun) / 1000;
  return { seconds, p50: times?.sort((a, b) => a - b)[times.length >> 1] };
}

/**
 * Each side on a core of its own, where the system can do that: two processes that wake each other are else put on one core
 * or on two as it comes, and throughput says more about that than about what is measured.
 */
function settle(role) {
  if (os.cpus().length > 1) spawnSync('taskset', ['-cp', role === 'worker' ? '0' : '1', String(process.pid)]);
}

async function main([role, contender, workers]) {
  settle(role);
  let caller;
  serve({
    connect: ({ to }) => {
      caller = CALLERS[contender](to);
      return {};
    },
    run: (job) => runTimed(caller, job),
  });
  process.send(role === 'worker' ? { to: await WORKERS[contender](Number(workers)) } : {});
}

main(process.argv.slice(2));
