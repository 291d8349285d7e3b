/** A gateway of ours before deployments of other kinds: no OTLP in Dynamo, disaggregated workers, workers that die. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { faults, type CapturedRecord, type DynamoProcess, type HarnessTrace } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { until } from '../support/until.js';
import { begun, chat, Deployment, MODEL } from './support/deployment.js';
import { eachRelease } from './support/each-release.js';
import { LOGGING, plain, readableFields } from './support/readable.js';
import { oursOf, theirsOf } from './support/records.js';
import { frontendMissing } from './support/releases.js';

const CHAT = '/v1/chat/completions';
const USAGE = { stream: true, stream_options: { include_usage: true }, nvext: { extra_fields: ['worker_id'] } };
/** Long enough to be killed in the middle: about two seconds. */
const LONG = 300;

eachRelease('gateway → frontend, OTLP off in Dynamo', (release) => {
  describe.each(LOGGING)('%s', (_title, jsonl) => {
    const lines = jsonl === '1';
    const place = new Deployment(release, { dynamo: { env: { DYN_LOGGING_JSONL: jsonl, OTEL_EXPORT_ENABLED: '0', DYN_ENABLE_ANTHROPIC_API: '1', DYN_HTTP_OVERLOAD_STATUS_CODE: '429' } } });

    it('with JSON lines a worker of ours gets the trace and the ids; with readable logging, the default, they end at the frontend, and the audit says so', async () => {
      const model = `m-${randomUUID()}`;
      const worker = await place.harness.worker(`dynamo.${model}.generate`, undefined, { model });
      await place.dynamo.serves(model);
      const res = await place.ask(CHAT, { body: { ...chat(2), model }, headers: { 'x-request-id': randomUUID() } });
      await res.text();
      // The frontend exports no spans, so that the trace never is whole.
      const completed = (): readonly CapturedRecord[] => place.harness.traceNow(res)?.recordsOf('request completed') ?? [];
      await until('the records of the request', () => completed().length === (lines ? 3 : 1));
      expect(oursOf(place.harness.traceNow(res)!).fields).toMatchObject({ status: 'success', model, output_tokens: 2 });
      expect(worker.requests).toHaveLength(1);
      if (lines) {
        expect(place.harness).toHavePropagated(res, { exceptHeaders: ['traceparent'] });
        expect(worker).toHaveReceivedTraceOf(res);
        // The worker's parent is a span that the frontend's records name, in place of the span itself.
        const named = place.harness.traceNow(res)!.records.filter(({ service }) => service === 'dynamo-frontend').map(({ spanId }) => spanId);
        expect(named).toContain(worker.requests[0]!.sent['traceparent']!.split('-')[2]);
      } else {
        expect(worker).not.toHaveReceivedTraceOf(res);
        expect(Object.keys(worker.requests[0]!.sent).sort()).toEqual(['request-id', 'x-endpoint-path', 'x-frontend-send-ts-ns']);
        expect(worker.requests[0]!.sent['request-id']).not.toBe(res.headers.get('request-id'));
        expect(() => expect(place.harness).toHavePropagated()).toThrow(`dynamo → worker dynamo.${model}.generate: `);
      }
    });

    it('429 in place of 529, as DYN_HTTP_OVERLOAD_STATUS_CODE says: overload in our record', async () => {
      const model = `m-${randomUUID()}`;
      await place.harness.worker(`dynamo.${model}.generate`, undefined, { model, faults: [faults.overload()] });
      await place.dynamo.serves(model);
      const { res, trace } = await place.traced(CHAT, { body: { ...chat(1), model } });
      expect(res.status).toBe(429);
      expect(trace).toHaveCompletedOnce({ status: 'error', error_type: 'overload', model });
    });

    it.each([['chat completions', CHAT, true], ['messages, whose worker records lack x_request_id', '/v1/messages', false]])('%s: one trace id and one request id in the records of all three processes with JSON lines, none in the worker\'s with readable logging', async (_what, path, named) => {
      const id = randomUUID();
      const { trace } = await place.traced(path, { body: chat(2), headers: { 'x-request-id': id } }, { records: lines ? ['request completed', 'request completed', 'request completed'] : [] });
      if (!lines) return readableWithoutOtlp(place, trace, id);
      const ends = Object.fromEntries(trace.recordsOf('request completed').map((record) => [record.service ?? 'gateway', record]));
      expect(Object.keys(ends).sort()).toEqual(['dynamo-frontend', 'dynamo-worker', 'gateway']);
      expect(new Set(Object.values(ends).map(({ traceId, requestId }) => `${traceId} ${requestId}`)).size).toBe(1);
      expect(ends['dynamo-worker']!.fields['x_request_id']).toBe(named ? id : undefined);
    });
  });
}, frontendMissing);

eachRelease('gateway → frontend → prefill and decode', (release) => {
  describe.each(LOGGING)('%s', (_title, jsonl) => {
    const place = new Deployment(release, { dynamo: { args: ['--router-mode', 'kv'], env: { DYN_LOGGING_JSONL: jsonl } }, mockers: { prefill: ['--disaggregation-mode', 'prefill'], decode: ['--disaggregation-mode', 'decode'] }, says: 'Prefill router target activated' });

    it('with the KV router: both workers in one trace, and their ids in our record as in Dynamo\'s', async () => {
      const { res, trace } = await place.traced(CHAT, { body: chat(5, USAGE) }, { spans: ['http-request', 'POST', 'http-request', 'kv_router.route_request', 'kv_router.route_request', 'handle_payload', 'handle_payload'] });
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
      const chosen = place.dynamo.frontend.log.split('\n').filter((line) => line.includes('Selected worker'));
      expect(chosen).toHaveLength(2);
      expect(chosen.filter((line) => line.includes(trace.traceId))).toEqual([]);
      const [prefill, decode] = place.mockers.map((mocker) => workerOf(trace, mocker));
      expect(prefill).not.toBe(decode);
      const ids = { prefill_worker_id: prefill, decode_worker_id: decode };
      expect(oursOf(trace).fields).toMatchObject({ status: 'success', output_tokens: 5, ...ids });
      expect(await theirsOf(place, trace, jsonl)).toMatchObject({ status: 'success', output_tokens: '5', ...ids });
    });
  });
}, frontendMissing);

eachRelease('gateway → frontend → a worker that dies', (release) => {
  describe.each(LOGGING)('%s', (_title, jsonl) => {
    const place = new Deployment(release, { dynamo: { args: ['--migration-limit', '1'], env: { DYN_LOGGING_JSONL: jsonl } }, mockers: { first: [], second: [] } });

    it('migration: another worker goes on, with one trace, one request and two attempts', async () => {
      const res = await place.ask(CHAT, { body: chat(LONG, USAGE) });
      const { rest } = await begun(res, 5);
      const dead = place.mockers.find(({ log }) => log.includes('request received'))!;
      await dead.kill();
      expect(await rest()).toContain(`"completion_tokens":${LONG}`);
      const trace = await place.harness.trace(res, { spans: ['http-request', 'POST', 'http-request', 'router.route_request', 'router.route_request', 'handle_payload'], records: ['Conflicting request tracker write', 'Conflicting request tracker write'] });
      expect(trace).toBeConnectedTrace();
      expect(trace).toMatchTree(`
        http-request {request.outcome=success}
          POST
            http-request {@service=dynamo-frontend}
              router.route_request {request.attempt=0, request.outcome=worker_disconnected}
              router.route_request {request.attempt=1, migration.is_retry=true, request.outcome=success}
                handle_payload {@service=${dead.name === 'first' ? 'second' : 'first'}}
      `);
      // The worker that Dynamo tells is the one that died, and its log has an error for each of the two ids.
      expect(trace.recordsOf('Conflicting request tracker write')).toHaveLength(2);
      const told = { status: 'success', decode_worker_id: workerOf(trace, dead) };
      expect(oursOf(trace).fields).toMatchObject({ ...told, output_tokens: LONG });
      expect(await theirsOf(place, trace, jsonl)).toMatchObject({ ...told, output_tokens: String(LONG) });
    });

    it('nobody is left: the error in mid-stream has the same type in both records', async () => {
      const told = { status: 'error', error_type: release === '1.6.1' ? 'unavailable' : 'internal', model: MODEL };
      const res = await place.ask(CHAT, { body: chat(LONG, USAGE) });
      const { rest } = await begun(res, 5);
      for (const mocker of place.mockers) await mocker.kill();
      expect(await rest()).toContain('data: {"error":');
      const trace = await place.harness.trace(res, { spans: ['http-request', 'POST', 'http-request', 'router.route_request'] });
      expect(oursOf(trace).fields).toMatchObject(told);
      expect(await theirsOf(place, trace, jsonl)).toMatchObject(told);
      expect(trace.spans.filter(({ name }) => name === 'router.route_request')[0]?.attributes).toMatchObject({ 'request.outcome': 'worker_disconnected' });
    });
  });
}, frontendMissing);

/** What readable logs say where no trace goes on: the frontend's line has our trace and x-request-id, the worker's has an id of its own. */
async function readableWithoutOtlp({ dynamo, mockers }: Deployment, trace: HarnessTrace, id: string): Promise<void> {
  const line = (): CapturedRecord['fields'] | undefined => readableFields(dynamo.frontend.log, 'request completed', trace.traceId);
  await until("the frontend's line", () => line() !== undefined);
  expect(line()).toMatchObject({ status: 'success', trace_id: trace.traceId, x_request_id: id });
  const theirs = String(line()!['request_id']);
  expect(theirs).not.toBe(trace.requestId);
  const end = (): CapturedRecord['fields'] | undefined => readableFields(mockers[0]!.log, 'request completed', theirs);
  await until("the worker's line", () => end() !== undefined);
  expect(end()).not.toHaveProperty('trace_id');
  expect([trace.traceId, trace.requestId!, id].filter((ours) => mockers[0]!.log.includes(ours))).toEqual([]);
}

/** The id of a worker, as its own line about this request tells it, in either way of logging. */
function workerOf({ traceId }: HarnessTrace, { log }: DynamoProcess): string {
  const [, id = 'none'] = /instance_id"?[=:]"?(\d+)/.exec(plain(log).split('\n').find((line) => line.includes(traceId)) ?? '') ?? [];
  return id;
}
