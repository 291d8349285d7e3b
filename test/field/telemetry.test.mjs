/** `startTelemetry` beside what apps already run: an instrumentation, worker threads. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startReceiver } from '../support/otlp-receiver.cjs';

const here = path.dirname(fileURLToPath(import.meta.url));

/** Runs the code among the packages of test/field until it ends. */
async function run(receiver, args) {
  const child = spawn(process.execPath, args, { cwd: here, env: { PATH: process.env.PATH, DYN_LOG: 'off', ...receiver.env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  return { ended: await once(child, 'close'), output };
}

it('instrumentations are given to the SDK: the span of instrumentation-http is the span of the request', { timeout: 60_000 }, async () => {
  const receiver = await startReceiver('grpc');
  try {
    const { ended, output } = await run(receiver, ['-e', `
      const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
      require('dynamo-tracing/otel').startTelemetry({ instrumentations: [new HttpInstrumentation()] });
      const app = require('express')().use(require('dynamo-tracing').dynamoTracing());
      app.post('/v1/chat/completions', (req, res) => res.json({}));
      const server = app.listen(0, '127.0.0.1', async () => {
        await (await fetch('http://127.0.0.1:' + server.address().port + '/v1/chat/completions', { method: 'POST' })).text();
        server.close().closeAllConnections();
      });`]);
    assert.deepEqual(ended, [0, null], output);
    assert.deepEqual(receiver.spans.map(({ name, attributes }) => [name, attributes['dynamo.span.target']]), [['POST /v1/chat/completions', 'request_span']], output);
  } finally {
    receiver.close();
  }
});

it('register in worker threads too: what a thread has made is exported when it ends', { timeout: 60_000 }, async () => {
  const receiver = await startReceiver('http/protobuf');
  try {
    const work = "require('@opentelemetry/api').trace.getTracer('app').startSpan('in ' + (require('node:worker_threads').isMainThread ? 'main' : 'thread')).end();";
    const { ended, output } = await run(receiver, ['--require', 'dynamo-tracing/otel/register', '-e', `${work} new (require('node:worker_threads').Worker)(${JSON.stringify(work)}, { eval: true });`]);
    assert.deepEqual(ended, [0, null], output);
    assert.deepEqual(receiver.spans.map(({ name }) => name).sort(), ['in main', 'in thread']);
  } finally {
    receiver.close();
  }
});
