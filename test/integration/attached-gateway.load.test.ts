import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { startHarness, type Harness } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { ExampleProcess } from '../support/processes.js';

let harness: Harness;
const started: ExampleProcess[] = [];
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((process) => process.stop()));
  await harness.close();
});

test.each([
  ['aggregated', `
    http-request {method=POST}
      router.route_request {request.outcome=success}
        handle_payload {component=backend}
  `],
  ['disaggregated', `
    http-request
      prefill_routing
        router.route_request {request.outcome=success}
          handle_payload {component=prefill}
      router.route_request {request.outcome=success}
        handle_payload {component=decode}
  `],
])('a gateway started as a program, %s: its spans and records pass the same assertions as in process', async (mode, tree) => {
  const collector = await harness.collector();
  const exporting = { ...collector.env, DYN_LOG: 'info' };
  const roles = mode === 'aggregated' ? ['backend'] : ['prefill', 'decode'];
  const workers = roles.map((role) => ExampleProcess.start('worker', { ...exporting, ENDPOINT: `dynamo.${role}.generate`, OTEL_SERVICE_NAME: role }));
  started.push(...workers);
  const addresses = await Promise.all(workers.map((worker) => worker.address()));
  const gateway = ExampleProcess.start('main', { ...exporting, GATEWAY_MODE: mode, GATEWAY_WORKERS: addresses.map((address, i) => (mode === 'aggregated' ? address : `${roles[i]!}=${address}`)).join(','), OTEL_SERVICE_NAME: 'gateway' });
  started.push(gateway);
  const server = await harness.attach({ url: await gateway.address(), collector, logs: [gateway.child.stderr!] });

  const res = await server.fetch('/v1/chat/completions', { method: 'POST', headers: { 'content-type': 'application/json', 'x-request-id': 'order-42' }, body: JSON.stringify({ model: 'mock-model', messages: [{ role: 'user', content: 'secret words' }], max_tokens: 4 }) });
  expect(res.status).toBe(200);
  expect(res).toEchoRequestId('order-42');
  const trace = await harness.trace(res, { spans: ['http-request', ...roles.map(() => 'handle_payload')], records: ['request completed'] });
  expect(trace).toBeConnectedTrace();
  expect(trace).toMatchTree(tree);
  expect(trace).toHaveCompletedOnce({ status: 'success', input_tokens: '2', output_tokens: '4' });
  expect(trace).toLeakNoText('secret words');
  expect(new Set(trace.spans.map((span) => span.service))).toEqual(new Set(['gateway', ...roles]));
}, 30_000);
