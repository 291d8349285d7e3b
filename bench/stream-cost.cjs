'use strict';
/** What watching an event stream costs over the bare handler: CPU for each chunk, memory for each open stream and over a long one. */
const net = require('node:net');
const { Child } = require('./lib/child.cjs');
const { load, requestBytes } = require('./lib/load.cjs');
const { summary } = require('./lib/stats.cjs');

const FILE = 'servers/stream.cjs';
const ENV = { DYN_LOGGING_JSONL: '1' };
const KINDS = [
  ['bare', 'bare, one chunk for each turn of the event loop'],
  ['bare', 'bare again (A/A), over bare'],
  ['scope', 'an AsyncLocalStorage scope and nothing else, over bare'],
  ['blind', 'dynamo-tracing, observeResponses: false, over bare'],
  ['traced', 'dynamo-tracing, over bare', '0.5'],
];
const CHUNKS = 500;
const OPEN = 400;

const request = (query) => requestBytes({
  method: 'POST',
  path: `/v1/chat/completions?${query}`,
  headers: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
  body: JSON.stringify({ model: 'meta-llama/Llama-3.3-70B-Instruct', stream: true, messages: [{ role: 'user', content: 'What is the capital of France?' }] }),
});

async function start(kind, execArgv = []) {
  const server = new Child(FILE, [kind], { env: ENV, execArgv });
  server.port = (await server.next()).port;
  return server;
}

async function cpuOf(server, query, total) {
  const before = await server.ask('usage');
  await load({ port: server.port, request: request(query), total, connections: 20 });
  const after = await server.ask('usage');
  return after.user + after.system - before.user - before.system;
}

/** CPU of long streams less that of short ones: what a request costs at all is in both. */
async function chunkCost({ rounds, streams }) {
  const servers = await Promise.all(KINDS.map(([kind]) => start(kind)));
  const samples = KINDS.map(() => []);
  try {
    for (const server of servers) await cpuOf(server, `chunks=${CHUNKS}`, 60);
    for (let round = 0; round < rounds; round += 1) {
      const order = KINDS.map((_, i) => i);
      if (round % 2 === 1) order.reverse();
      for (const i of order) {
        const long = await cpuOf(servers[i], `chunks=${CHUNKS}`, streams);
        const short = await cpuOf(servers[i], 'chunks=1', streams);
        samples[i].push((long - short) / streams / (CHUNKS - 1));
      }
    }
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
  return KINDS.map(([, label, target], i) => ({ label, target, micros: summary(samples[i].map((value, round) => (i === 0 ? value : value - samples[0][round]))) }));
}

function openStreams(port, count) {
  const sockets = Array.from({ length: count }, () => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.write(request('open'));
    socket.resume();
    socket.on('error', () => {});
    return socket;
  });
  return () => sockets.forEach((socket) => socket.destroy());
}

async function whenOpen(server, count) {
  while ((await server.ask('open')).count < count) await new Promise((resolve) => setTimeout(resolve, 50));
}

const bytes = ({ heapUsed, external }) => heapUsed + external;

/** Bytes of heap and buffers for each open stream after garbage collection. */
async function openMemory(kind) {
  const server = await start(kind, ['--expose-gc']);
  try {
    await load({ port: server.port, request: request('chunks=5'), total: 2000 });
    const before = bytes(await server.ask('memory'));
    const close = openStreams(server.port, OPEN);
    await whenOpen(server, OPEN);
    await server.ask('more', { chunks: 20 });
    const after = bytes(await server.ask('memory'));
    close();
    return (after - before) / OPEN;
  } finally {
    await server.stop();
  }
}

/** Bytes held while one stream goes on for 100,000 chunks, over what they were after 1,000. */
async function longMemory() {
  const server = await start('traced', ['--expose-gc']);
  try {
    const close = openStreams(server.port, 1);
    await whenOpen(server, 1);
    const held = [];
    for (const chunks of [1000, 9000, 40_000, 50_000]) {
      await server.ask('more', { chunks });
      held.push(bytes(await server.ask('memory')));
    }
    close();
    return held.map((value) => value - held[0]);
  } finally {
    await server.stop();
  }
}

const micro = (value) => value.toFixed(2);

module.exports = {
  name: 'stream-cost',
  async run({ quick }) {
    const chunk = await chunkCost(quick ? { rounds: 5, streams: 40 } : { rounds: 15, streams: 60 });
    const memory = [];
    for (let i = 0; i < 3; i += 1) memory.push((await openMemory('traced')) - (await openMemory('bare')));
    const open = summary(memory);
    const long = await longMemory();
    const tables = [
      {
        title: 'Event streams on Express: CPU for each chunk',
        columns: ['server', 'µs', 'middle half', 'target'],
        rows: chunk.map(({ label, micros, target = '' }) => [label, micro(micros.median), `${micro(micros.low)} to ${micro(micros.high)}`, target]),
      },
      {
        title: 'Event streams on Express: memory',
        columns: ['what', 'bytes', 'target'],
        rows: [
          [`for each of ${OPEN} open streams that are cut inside an event, over bare`, Math.round(open.median), '8192'],
          ...['10,000', '50,000', '100,000'].map((at, i) => [`one stream after ${at} chunks, over 1,000 chunks`, Math.round(long[i + 1]), 'flat']),
        ],
      },
    ];
    return { tables, data: { chunk, open, long } };
  },
};
