'use strict';
/** What each stack adds to a bare server for one request: CPU first, throughput second. */
const { Child } = require('./lib/child.cjs');
const { load, requestBytes } = require('./lib/load.cjs');
const { median, summary } = require('./lib/stats.cjs');

const FILE = 'servers/http.cjs';
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const HEADERS = { 'user-agent': 'bench/1.0', accept: 'application/json', traceparent: TRACEPARENT };

const INFERENCE = requestBytes({
  method: 'POST',
  path: '/v1/chat/completions',
  headers: HEADERS,
  body: JSON.stringify({ model: 'meta-llama/Llama-3.3-70B-Instruct', messages: [{ role: 'user', content: 'What is the capital of France?' }], max_tokens: 64 }),
});
const HEALTH = requestBytes({ method: 'GET', path: '/health', headers: HEADERS });

const JSONL = { DYN_LOGGING_JSONL: '1' };
const OURS = [
  { label: 'dynamo-tracing', stack: 'dynamo-tracing', env: JSONL, target: 50 },
  { label: 'dynamo-tracing, readable text', stack: 'dynamo-tracing' },
  { label: 'dynamo-tracing, no SDK registered', stack: 'dynamo-tracing without SDK', env: JSONL, target: 30 },
  { label: 'dynamo-tracing, DYN_LOG=request_span=off', stack: 'dynamo-tracing', env: { ...JSONL, DYN_LOG: 'request_span=off' }, target: 25 },
  { label: 'dynamo-tracing, DYN_LOG=info,request_span=off', stack: 'dynamo-tracing', env: { ...JSONL, DYN_LOG: 'info,request_span=off' } },
];

/** Every row is compared with the bare server for the same request; the second bare server shows what the method cannot tell apart. */
const ROWS = {
  express: [
    { label: 'bare', stack: 'bare' },
    { label: 'bare again (A/A)', stack: 'bare' },
    ...OURS,
    { label: 'createServer(app), bare', stack: 'createServer, bare' },
    { label: 'createServer(app), dynamo-tracing', stack: 'createServer, dynamo-tracing', env: JSONL },
    { label: 'createServer(app), dynamo-tracing, no SDK registered', stack: 'createServer, dynamo-tracing without SDK', env: JSONL },
    { label: 'createServer(app), pino-http', stack: 'createServer, pino-http' },
    { label: 'express-request-id', stack: 'express-request-id' },
    { label: 'cls-rtracer', stack: 'cls-rtracer' },
    { label: 'pino-http', stack: 'pino-http' },
    { label: 'instrumentation-http', stack: 'instrumentation-http' },
    { label: '+ instrumentation-express', stack: 'instrumentation-http + express' },
    { label: '+ instrumentation-express + pino-http', stack: 'instrumentation-http + express + pino-http' },
    { label: 'instrumentation-http + dynamo-tracing', stack: 'instrumentation-http + dynamo-tracing', env: JSONL },
    { label: 'GET /health, bare', stack: 'bare', health: true },
    { label: 'GET /health, dynamo-tracing (span filtered out)', stack: 'dynamo-tracing', env: JSONL, health: true, target: 15 },
  ],
  fastify: [
    { label: 'bare', stack: 'bare' },
    { label: 'bare again (A/A)', stack: 'bare' },
    ...OURS,
    { label: "Fastify's logger", stack: 'logger' },
    { label: 'cls-rtracer', stack: 'cls-rtracer' },
    { label: '@fastify/otel', stack: '@fastify/otel' },
    { label: '@fastify/otel + logger', stack: '@fastify/otel + logger' },
    { label: 'instrumentation-http', stack: 'instrumentation-http' },
    { label: '+ @fastify/otel + logger', stack: 'instrumentation-http + @fastify/otel + logger' },
    { label: 'GET /health, bare', stack: 'bare', health: true },
    { label: 'GET /health, dynamo-tracing (span filtered out)', stack: 'dynamo-tracing', env: JSONL, health: true, target: 15 },
  ],
};

const WARM_UP = 12_000;
const CONNECTIONS = 50;

async function measure(server, row, total) {
  const before = await server.ask('usage');
  const { seconds } = await load({ port: server.port, request: row.health ? HEALTH : INFERENCE, total, connections: CONNECTIONS });
  const after = await server.ask('usage');
  return { cpu: (after.user + after.system - before.user - before.system) / total, perSecond: total / seconds };
}

async function start(framework, row) {
  const server = new Child(FILE, [framework, row.stack], { env: row.env });
  server.port = (await server.next()).port;
  await load({ port: server.port, request: row.health ? HEALTH : INFERENCE, total: WARM_UP, connections: CONNECTIONS });
  return server;
}

/** All stacks in turn, in many short rounds: what else the machine does meets them all. Processes are started anew between generations. */
async function framework(name, rows, { generations, rounds, requests }) {
  const samples = rows.map(() => []);
  for (let generation = 0; generation < generations; generation += 1) {
    const servers = [];
    try {
      for (const row of rows) servers.push(await start(name, row));
      for (let round = 0; round < rounds; round += 1) {
        // Every other round backwards, so that nobody always follows the same neighbour.
        const order = rows.map((_, i) => i);
        if (round % 2 === 1) order.reverse();
        for (const i of order) samples[i].push(await measure(servers[i], rows[i], requests));
      }
    } finally {
      await Promise.all(servers.map((server) => server.stop()));
    }
  }
  return rows.map((row, i) => resultOf(row, samples[i], samples[rows.findIndex((other) => other.stack === 'bare' && other.health === row.health)]));
}

function resultOf(row, samples, bare) {
  return {
    label: row.label,
    target: row.target,
    cpu: summary(samples.map(({ cpu }) => cpu)),
    added: summary(samples.map(({ cpu }, round) => cpu - bare[round].cpu)),
    throughput: median(samples.map(({ perSecond }, round) => perSecond / bare[round].perSecond)),
    perSecond: median(samples.map(({ perSecond }) => perSecond)),
  };
}

const one = (value) => value.toFixed(1);

function tableOf(name, results) {
  return {
    title: `${name === 'express' ? 'Express 5' : 'Fastify 5'}: CPU per request`,
    columns: ['stack', 'CPU µs', 'added µs', 'middle half', 'target', 'throughput'],
    rows: results.map(({ label, cpu, added, target, throughput }) => [label, one(cpu.median), one(added.median), `${one(added.low)} to ${one(added.high)}`, target ?? '', throughput.toFixed(2)]),
  };
}

const only = (rows, pattern) => (pattern === undefined ? rows : rows.filter(({ label }) => /^(GET \/health, )?bare/.test(label) || new RegExp(pattern).test(label)));

module.exports = {
  name: 'http-cost',
  /** BENCH_FRAMEWORK and BENCH_ONLY (a pattern for rows) narrow a run. */
  async run({ quick }) {
    const effort = quick ? { generations: 1, rounds: 6, requests: 2000 } : { generations: 2, rounds: 14, requests: 2000 };
    const tables = [];
    const data = {};
    for (const [name, rows] of Object.entries(ROWS)) {
      if (process.env.BENCH_FRAMEWORK !== undefined && process.env.BENCH_FRAMEWORK !== name) continue;
      data[name] = await framework(name, only(rows, process.env.BENCH_ONLY), effort);
      tables.push(tableOf(name, data[name]));
    }
    return { tables, data: { ...data, effort } };
  },
};
