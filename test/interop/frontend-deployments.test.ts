/** A gateway of ours before deployments of other kinds: no tracing in Dynamo, disaggregated workers, workers that die. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { faults, type HarnessTrace } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { begun, chat, Deployment, MODEL } from './support/deployment.js';
import { eachRelease } from './support/each-release.js';
import { frontendMissing } from './support/releases.js';

const CHAT = '/v1/chat/completions';
const USAGE = { stream: true, stream_options: { include_usage: true }, nvext: { extra_fields: ['worker_id'] } };
/** Long enough to be killed in the middle: about two seconds. */
const LONG = 300;

eachRelease('gateway → frontend, tracing off in Dynamo', (release) => {
  describe('readable logging without OTLP, its default', () => {
    const place = new Deployment(release, { mockers: {}, dynamo: { env: { DYN_LOGGING_JSONL: '0', OTEL_EXPORT_ENABLED: '0', DYN_HTTP_OVERLOAD_STATUS_CODE: '429' } } });

    it('the trace and the ids end at the frontend, and the audit says so; our record is whole', async () => {
      const model = `m-${randomUUID()}`;
      const worker = await place.harness.worker('cut.backend.generate', undefined, { model });
      await place.dynamo.serves(model);
      const { res, trace } = await place.traced(CHAT, { body: { ...chat(2), model }, headers: { 'x-request-id': randomUUID() } });
      expect(trace).toHaveCompletedOnce({ status: 'success', model, output_tokens: 2 });
      expect(worker.requests).toHaveLength(1);
      expect(worker).not.toHaveReceivedTraceOf(res);
      expect(Object.keys(worker.requests[0]!.sent).sort()).toEqual(['request-id', 'x-endpoint-path', 'x-frontend-send-ts-ns']);
      expect(worker.requests[0]!.sent['request-id']).not.toBe(res.headers.get('request-id'));
      expect(() => expect(place.harness).toHavePropagated()).toThrow('dynamo → worker cut.backend.generate: ');
    });

    it('429 in place of 529, as DYN_HTTP_OVERLOAD_STATUS_CODE says: overload in our record', async () => {
      const model = `m-${randomUUID()}`;
      await place.harness.worker('full.backend.generate', undefined, { model, faults: [faults.overload()] });
      await place.dynamo.serves(model);
      const { res, trace } = await place.traced(CHAT, { body: { ...chat(1), model } });
      expect(res.status).toBe(429);
      expect(trace).toHaveCompletedOnce({ status: 'error', error_type: 'overload', model });
    });
  });

  describe('JSONL logging without OTLP', () => {
    const place = new Deployment(release, { dynamo: { env: { OTEL_EXPORT_ENABLED: '0', DYN_ENABLE_ANTHROPIC_API: '1' } } });

    it.each([['chat completions', CHAT, true], ['messages, whose worker records lack x_request_id', '/v1/messages', false]])('%s: the records of all three processes have one trace id and one request id', async (_title, path, named) => {
      const id = randomUUID();
      const { trace } = await place.traced(path, { body: chat(2), headers: { 'x-request-id': id } }, { records: ['request completed', 'request completed', 'request completed'] });
      const ends = Object.fromEntries(trace.recordsOf('request completed').map((record) => [record.service ?? 'gateway', record]));
      expect(Object.keys(ends).sort()).toEqual(['dynamo-frontend', 'dynamo-worker', 'gateway']);
      expect(new Set(Object.values(ends).map(({ traceId, requestId }) => `${traceId} ${requestId}`)).size).toBe(1);
      expect(ends['dynamo-worker']!.fields['x_request_id']).toBe(named ? id : undefined);
    });
  });
}, frontendMissing);

eachRelease('gateway → frontend → prefill and decode', (release) => {
  const place = new Deployment(release, { dynamo: { args: ['--router-mode', 'kv'] }, mockers: { prefill: ['--disaggregation-mode', 'prefill'], decode: ['--disaggregation-mode', 'decode'] }, says: 'Prefill router target activated' });

  it('with the KV router: both workers in one trace, and their ids in our record as in Dynamo\'s', async () => {
    const { res, trace } = await place.traced(CHAT, { body: chat(5, USAGE) });
    expect(res.status).toBe(200);
    expect(trace).toBeConnectedTrace();
    const selected = '      kv_router.select_worker\n        ...\n';
    expect(trace).toMatchTree(`
http-request
  POST
    http-request {@service=dynamo-frontend}
${selected}      kv_router.route_request {phase=Prefill, request.outcome=success}
        handle_payload {@service=prefill}
${selected}      kv_router.route_request {phase=Decode, request.outcome=success}
        handle_payload {@service=decode}
    `);
    const chosen = place.dynamo.frontend.log.split('\n').filter((line) => line.includes('"Selected worker"'));
    expect(chosen).toHaveLength(2);
    expect(chosen.filter((line) => line.includes(trace.traceId))).toEqual([]);
    const ids = { prefill_worker_id: workerOf(trace, 'prefill'), decode_worker_id: workerOf(trace, 'decode') };
    expect(ids.prefill_worker_id).not.toBe(ids.decode_worker_id);
    expect(trace).toHaveCompletedOnce({ status: 'success', output_tokens: 5, ...ids });
  });
}, frontendMissing);

eachRelease('gateway → frontend → a worker that dies', (release) => {
  const place = new Deployment(release, { dynamo: { args: ['--migration-limit', '1'] }, mockers: { first: [], second: [] } });

  it('migration: another worker goes on, with one trace, one request and two attempts', async () => {
    const res = await place.ask(CHAT, { body: chat(LONG, USAGE) });
    const { rest } = await begun(res, 5);
    const dead = place.mockers.find(({ log }) => log.includes('request received'))!;
    await dead.kill();
    expect(await rest()).toContain(`"completion_tokens":${LONG}`);
    const trace = await place.harness.trace(res);
    expect(trace).toBeConnectedTrace();
    expect(trace).toMatchTree(`
      http-request {request.outcome=success}
        POST
          http-request {@service=dynamo-frontend}
            router.route_request {request.attempt=0, request.outcome=worker_disconnected}
            router.route_request {request.attempt=1, migration.is_retry=true, request.outcome=success}
              handle_payload {@service=${dead.name === 'first' ? 'second' : 'first'}}
    `);
    expect(trace).toHaveCompletedOnce({ status: 'success', output_tokens: LONG });
    // The worker that Dynamo tells is the one that died, and its log has an error for each of the two ids.
    expect(trace.recordsOf('Conflicting request tracker write')).toHaveLength(2);
    expect(trace).toHaveCompletedOnce({ decode_worker_id: workerOf(trace, dead.name) });
  });

  it('nobody is left: the error in mid-stream has the same type in both records', async () => {
    const type = release === '1.6.1' ? 'unavailable' : 'internal';
    const res = await place.ask(CHAT, { body: chat(LONG, USAGE) });
    const { rest } = await begun(res, 5);
    for (const mocker of place.mockers) await mocker.kill();
    expect(await rest()).toContain('data: {"error":');
    const trace = await place.harness.trace(res);
    expect(trace).toHaveCompletedOnce({ status: 'error', error_type: type, model: MODEL });
    expect(trace.spans.filter(({ name }) => name === 'router.route_request')[0]?.attributes).toMatchObject({ 'request.outcome': 'worker_disconnected' });
  });
}, frontendMissing);

/** The id of the worker of this service, as its own records tell it. */
function workerOf(trace: HarnessTrace, service: string): string {
  return String(trace.records.find((record) => record.service === service)?.fields['instance_id']);
}
