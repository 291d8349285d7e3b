/** The example gateway and its workers as processes of their own, with telemetry from `startTelemetry`, before a real OTLP receiver. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { startReceiver, type Receiver } from '../support/otlp-receiver.cjs';
import { ExampleProcess } from '../support/processes.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const CHAT = JSON.stringify({ model: 'mock-model', messages: [{ role: 'user', content: 'one two three' }], max_tokens: 5, stream: true });
const TREE = `
http-request @gateway
  prefill_routing @gateway
    router.route_request @gateway
      handle_payload @prefill
  router.route_request @gateway
    handle_payload @decode`.trim();

describe.each(['grpc', 'http/protobuf'] as const)('over %s', (protocol) => {
  let receiver: Receiver;
  const started: ExampleProcess[] = [];
  const run = (program: 'main' | 'worker', service: string, env: Record<string, string> = {}): ExampleProcess => {
    const process = ExampleProcess.start(program, { ...receiver.env, OTEL_SERVICE_NAME: service, ...env });
    started.push(process);
    return process;
  };
  afterEach(async () => {
    await Promise.all(started.splice(0).map((process) => process.stop()));
    receiver.close();
  });

  test('the spans of a gateway and two workers are one connected trace, and their log records name it', async () => {
    receiver = await startReceiver(protocol);
    const [prefill, decode] = [run('worker', 'prefill', { ENDPOINT: 'dynamo.prefill.generate' }), run('worker', 'decode', { ENDPOINT: 'dynamo.decode.generate' })];
    const gateway = run('main', 'gateway', { GATEWAY_MODE: 'disaggregated', GATEWAY_WORKERS: `prefill=${await prefill.address()},decode=${await decode.address()}` });
    const res = await fetch(`${await gateway.address()}/v1/chat/completions`, { method: 'POST', body: CHAT, headers: { 'content-type': 'application/json', traceparent: `00-${TRACE}-00f067aa0ba902b7-01` } });
    await res.text();
    await receiver.until('six spans', () => receiver.spans.length === 6);
    expect(receiver.tree(TRACE)).toBe(TREE);
    expect(receiver.spans.find(({ name }) => name === 'http-request')).toMatchObject({ parentSpanId: '00f067aa0ba902b7', attributes: { request_id: res.headers.get('request-id') } });

    const completed = (): string[] => receiver.logs.filter(({ body }) => body === 'request completed').map(({ service, traceId }) => `${service} ${traceId}`).sort();
    await receiver.until('three records', () => completed().length === 3);
    expect(completed()).toEqual([`decode ${TRACE}`, `gateway ${TRACE}`, `prefill ${TRACE}`]);
    expect(new Set(receiver.exports.map((each) => each.split(' ')[0]))).toEqual(new Set([protocol]));
  }, 60_000);

  test('what a gateway has not sent yet when SIGTERM closes it gracefully is sent before it exits with 0', async () => {
    receiver = await startReceiver(protocol);
    const gateway = run('main', 'gateway', { OTEL_BSP_SCHEDULE_DELAY: '600000', OTEL_BLRP_SCHEDULE_DELAY: '600000' });
    const res = await fetch(`${await gateway.address()}/v1/chat/completions`, { method: 'POST', body: CHAT, headers: { 'content-type': 'application/json' } });
    await res.text();
    await gateway.record('request completed', 'request');
    expect(receiver.exports).toEqual([]);
    expect(await gateway.stop()).toBe(0);
    expect(receiver.tree()).toBe('http-request @gateway\n  router.route_request @gateway\n    handle_payload @gateway');
    expect(receiver.logs.map(({ body }) => body)).toEqual(expect.arrayContaining(['request completed', 'draining', 'stopped']));
  }, 60_000);
});

test('without OTEL_EXPORT_ENABLED the gateway exports nothing, as Dynamo', async () => {
  const receiver = await startReceiver('grpc');
  const gateway = ExampleProcess.start('main', { ...receiver.env, OTEL_EXPORT_ENABLED: '' });
  try {
    const res = await fetch(`${await gateway.address()}/v1/chat/completions`, { method: 'POST', body: CHAT, headers: { 'content-type': 'application/json' } });
    await res.text();
    expect(await gateway.stop()).toBe(0);
    expect(receiver.exports).toEqual([]);
  } finally {
    await gateway.stop();
    receiver.close();
  }
}, 60_000);
