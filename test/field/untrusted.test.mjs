import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { neighbour, visitOf } from './support/neighbour.mjs';

const untrusting = (env) => ({ telemetry: 'chosen.cjs', env: { INSTRUMENTATIONS: 'http', OPTIONS: '{"trustIncoming":false}', ...env }, trusted: false });
const newTrace = (visit) => it("the caller's trace is not gone on with", () => {
  for (const { traceId, callerTrace } of visit().calls) assert.notEqual(traceId, callerTrace);
});

for (const app of ['express-gateway.cjs', 'fastify-gateway.cjs']) {
  neighbour(`trustIncoming: false, no SDK, ${app}`, { app, env: { OPTIONS: '{"trustIncoming":false}' }, trusted: false }, newTrace);
  neighbour(`trustIncoming: false under instrumentation-http with untrustedPropagator(), ${app}`, { app, ...untrusting({ PROPAGATOR: 'untrusted' }) }, newTrace);
}

describe('trustIncoming: false under instrumentation-http without untrustedPropagator()', () => {
  it('one warning for the process names it', async () => {
    const { app } = await visitOf({ app: 'express-gateway.cjs', ...untrusting() });
    const warnings = app.stderr.split('\n').filter((line) => line.includes('untrustedPropagator'));
    assert.equal(warnings.length, 1, app.stderr);
  });
});
