'use strict';
// Runs the W3C's own Trace Context validation suite, level 2, against an Express app with the package's default settings, once
// without an OpenTelemetry SDK and once with one. The suite stands beside the checkout (or where W3C_TRACE_CONTEXT says) and is no part of the project: without it
// the script says so and is content. Needs Python's aiohttp and installs it into a folder of its own when it is missing.
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { context, trace } = require('@opentelemetry/api');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { BasicTracerProvider } = require('@opentelemetry/sdk-trace-base');
const express = require('express');
const { dynamoTracing, tracedFetch } = require('../src/index.ts');

const suite = process.env.W3C_TRACE_CONTEXT ?? path.join(__dirname, '..', '..', 'shared', 'w3c-trace-context');
const SHOWN = 4000;

/** A Python that has aiohttp, and how to end its use. */
function python() {
  const hasAiohttp = (command) => spawnSync(command, ['-c', 'import aiohttp'], { stdio: 'ignore' }).status === 0;
  if (hasAiohttp('python3')) return { command: 'python3', remove: () => undefined };
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dynamo-tracing-w3c-'));
  const remove = () => fs.rmSync(folder, { recursive: true, force: true });
  const command = path.join(folder, 'bin', 'python');
  for (const [program, ...args] of [['python3', '-m', 'venv', folder], [command, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'aiohttp']]) {
    spawnSync(program, args, { stdio: 'ignore' });
  }
  if (hasAiohttp(command)) return { command, remove };
  remove();
  throw new Error('python3 has no aiohttp, and it could not be installed');
}

/** The service that the suite asks for: POST /test calls every url of the list it gets. The route is in no table. */
async function startService() {
  const app = express();
  app.use(dynamoTracing());
  app.post('/test', express.json(), async (req, res) => {
    for (const { url, arguments: body } of req.body) {
      const answer = await tracedFetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
      await answer.arrayBuffer();
    }
    res.json({});
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** One run of the suite: how many of its tests passed and failed. Those that it skips itself count as failed. */
async function run(title, command) {
  const server = await startService();
  const env = { ...process.env, SPEC_LEVEL: '2', HARNESS_PORT: String(await freePort()), PYTHONDONTWRITEBYTECODE: '1' };
  const child = spawn(command, ['test.py', `http://127.0.0.1:${server.address().port}/test`], { cwd: suite, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  const [code] = await once(child, 'close');
  server.closeAllConnections();
  server.close();
  const total = Number(/^Ran (\d+) tests?/m.exec(said)?.[1] ?? 0);
  const passed = (said.match(/ \.\.\. ok$/gm) ?? []).length;
  console.log(`W3C Trace Context suite, level 2, ${title}: ${passed} of ${total} passed`);
  if (code !== 0 || passed !== total || total === 0) console.log(said.slice(-SHOWN));
  return { passed, failed: Math.max(total - passed, code === 0 && total > 0 ? 0 : 1) };
}

async function main() {
  if (!fs.existsSync(suite)) return console.log('W3C Trace Context suite: skipped, ../shared/w3c-trace-context is not there');
  const { command, remove } = python();
  try {
    const without = await run('without an SDK', command);
    trace.setGlobalTracerProvider(new BasicTracerProvider());
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const withSdk = await run('with an SDK', command);
    const failed = without.failed + withSdk.failed;
    console.log(`${without.passed + withSdk.passed} passed, ${failed} failed`);
    process.exitCode = failed === 0 ? 0 : 1;
  } finally {
    remove();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
