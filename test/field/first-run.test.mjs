/** What a new user does: install, write five lines, start with one flag, follow what a message says. In a fresh folder, with the registry's packages. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startReceiver } from '../support/otlp-receiver.cjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const [major, minor] = process.versions.node.split('.').map(Number);

const APP = `
import express from 'express'
import { metrics } from '@opentelemetry/api'
import { dynamoTracing, tracedFetch } from 'dynamo-tracing'

const app = express()
app.use(dynamoTracing())
app.post('/v1/completions', (req, res) => res.json({}))
app.post('/v1/chat/completions', async (req, res) => {
  metrics.getMeter('app').createCounter('app.requests').add(1)
  const answer = await tracedFetch('http://' + req.headers.host + '/v1/completions', { method: 'POST' })
  res.json(await answer.json())
})
const server = app.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port))
`;
const COMMONJS = APP.replace(/^import (.*) from (.*)$/gm, 'const $1 = require($2)');

/** The install lines of docs/telemetry.md, by the line of OpenTelemetry. */
function installLine(line) {
  const packages = fs.readFileSync(path.join(root, 'docs', 'telemetry.md'), 'utf8').split('\n').find((text) => text.startsWith('npm install dynamo-tracing ') && text.includes(`OpenTelemetry ${line}`));
  return packages.replace(/#.*/, '').trim().split(/ +/).slice(3);
}

class User {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'dynamo-tracing-first-run-'));

  constructor() {
    fs.writeFileSync(path.join(this.folder, 'package.json'), '{ "name": "first-run", "private": true }');
    fs.writeFileSync(path.join(this.folder, 'app.mjs'), APP);
    fs.writeFileSync(path.join(this.folder, 'app.cjs'), COMMONJS);
    const [{ filename }] = JSON.parse(this.#npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', this.folder));
    this.tarball = `./${filename}`;
  }

  install(...packages) {
    this.#npm(this.folder, 'install', '--no-audit', '--no-fund', '--ignore-scripts', ...packages);
  }

  #npm(cwd, ...args) {
    return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  }

  /** Starts the app, sends it a request, ends it with SIGTERM, which the app does not listen to. What it wrote on standard error. */
  async run(flag, app, env) {
    const child = spawn(process.execPath, [flag, 'dynamo-tracing/otel/register', app], { cwd: this.folder, env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += chunk));
    const closed = once(child, 'close');
    try {
      let stdout = '';
      for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) if ((stdout += chunk).includes('\n')) break;
      const res = await fetch(`http://127.0.0.1:${/port (\d+)/.exec(stdout)?.[1]}/v1/chat/completions`, { method: 'POST', headers: { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` } });
      assert.equal(res.status, 200, stderr);
    } finally {
      child.kill();
    }
    assert.deepEqual(await closed, [null, 'SIGTERM'], stderr);
    return stderr;
  }

  remove() {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

const LINES = [{ line: '2.x' }, { line: '3.x', skip: major < 22 || (major === 22 && minor < 15) ? 'needs Node 22.15' : false }];
for (const { line, skip } of LINES) {
  describe(`a new user with OpenTelemetry ${line}`, { skip }, () => {
    const user = skip ? undefined : new User();
    const [api, sdk] = skip ? [] : installLine(line);
    after(() => user?.remove());

    it('without an SDK: the app runs, and one message says what to install', { timeout: 300_000 }, async () => {
      user.install(user.tarball, api, 'express@^5');
      const stderr = await user.run('--import', 'app.mjs', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' });
      const [said, ...more] = stderr.split('\n').filter((text) => text.includes('DynamoTracingWarning'));
      const advised = /npm install (\S+)/.exec(said)?.[1];
      assert.deepEqual([advised, more], [line === '2.x' ? sdk : '@opentelemetry/sdk-node', []], stderr);
      user.install(advised);
    });

    for (const [protocol, flag, app] of [['grpc', '--import', 'app.mjs'], ['http/protobuf', '--require', 'app.cjs']]) {
      it(`${flag} dynamo-tracing/otel/register: a connected trace, its log records and metrics arrive over ${protocol}`, { timeout: 120_000 }, async () => {
        const receiver = await startReceiver(protocol);
        try {
          const { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL = 'grpc' } = receiver.env;
          const stderr = await user.run(flag, app, { OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL });
          assert.equal(receiver.tree(TRACE), 'http-request @dynamo\n  POST @dynamo\n    http-request @dynamo', stderr);
          assert.deepEqual(receiver.logs.filter(({ body }) => body === 'request completed').map(({ traceId }) => traceId), [TRACE, TRACE]);
          assert.ok(receiver.metrics.some(({ name }) => name === 'app.requests'));
          assert.doesNotMatch(stderr, /DynamoTracingWarning/);
        } finally {
          receiver.close();
        }
      });
    }
  });
}
