/** Everything that goes through a gateway of ours, Dynamo's own HTTP frontend and its mocker, with both ways of logging. OTLP is on. */
import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { faults, mockModel, type HarnessTrace, type TraceOptions } from 'dynamo-tracing/harness';
import 'dynamo-tracing/jest';
import { until } from '../support/until.js';
import { begun, chat, Deployment, MODEL } from './support/deployment.js';
import { eachRelease } from './support/each-release.js';
import { FieldTable } from './support/field-table.js';
import { gatewayBefore } from './support/gateway.js';
import { LOGGING } from './support/readable.js';
import { oursOf, theirsOf, writtenBy } from './support/records.js';
import { frontendMissing } from './support/releases.js';
import { ROUTES, TEXT_MODEL, treeOf } from './support/routes.js';

const traceId = (): string => randomUUID().replaceAll('-', '');
const CHAT = '/v1/chat/completions';

eachRelease('gateway → frontend → mocker', (release) => {
  describe.each(LOGGING)('%s', (_title, jsonl) => {
    const lines = jsonl === '1';
    const place = new Deployment(release, { dynamo: { env: { DYN_LOGGING_JSONL: jsonl, DYN_ENABLE_ANTHROPIC_API: '1' } } });

    /** Without records in lines nothing says which spans are to come. */
    const spans = (...names: string[]): TraceOptions => (lines ? {} : { spans: names });
    const through = spans('http-request', 'POST', 'http-request', 'router.route_request', 'handle_payload');
    const refused = spans('http-request', 'POST', 'http-request');

    beforeAll(async () => {
      await place.harness.worker('text.backend.generate', undefined, { model: TEXT_MODEL });
      await place.dynamo.serves(TEXT_MODEL);
    });

    const table = new FieldTable();

    it.each(ROUTES)('$title: one trace of three services, the same ids and tokens in each', async (route) => {
      const id = `order-${randomUUID()}`;
      const { res, trace } = await place.traced(route.path, { body: route.body, headers: { 'x-request-id': id } }, through);
      expect(res.status).toBe(200);
      expect(res).toEchoRequestId(id);
      expect(place.harness).toHavePropagated(res);
      expect(trace).toBeConnectedTrace();
      expect(trace).toMatchTree(treeOf(route));
      const ours = oursOf(trace);
      expect(ours.fields).toMatchObject({ status: 'success', x_request_id: id, request_type: 'stream' in route.body ? 'stream' : 'unary' });
      const { input_tokens: input, output_tokens: output } = frontendSpan(trace);
      if (route.tokens !== false) expect([input, output]).toEqual([ours.fields['input_tokens'] ?? input, ours.fields['output_tokens']].map(String));
      if (lines) expect(trace).toHaveCompletedOnce({ status: 'success', x_request_id: id });
      table.compare(ours.fields, await theirsOf(place, trace, jsonl));
    });

    it('/v1/models, /v1/models/{id} and count_tokens: answered through the gateway, without a request at a worker', async () => {
      const { trace, text } = await place.traced('/v1/messages/count_tokens', { body: { model: MODEL, messages: [{ role: 'user', content: 'hi' }] } }, refused);
      expect(JSON.parse(text)).toEqual({ input_tokens: expect.any(Number) });
      expect(trace).toMatchTree('http-request\n  POST\n    http-request {@service=dynamo-frontend}');
      const list = await place.ask('/v1/models');
      expect(await list.json()).toMatchObject({ data: expect.arrayContaining([expect.objectContaining({ id: MODEL })]) });
      const one = await place.ask(`/v1/models/${MODEL}`);
      expect([one.status, await one.json()]).toEqual([200, expect.objectContaining({ id: MODEL })]);
    });

    it.each<[title: string, path: string, body: object, status: number, type: string, theirs: boolean]>([
      ['400: a value that it does not allow', CHAT, chat(1, { temperature: 99 }), 400, 'validation', true],
      ['400: a body of another shape, without a record of Dynamo', CHAT, { model: MODEL, messages: 5 }, 400, 'validation', false],
      ['404: a model that nobody serves', CHAT, { ...chat(1), model: 'nobody' }, 404, 'not_found', true],
      ['404: a route that it does not have, without a record of Dynamo', '/v1/nothing', {}, 404, 'not_found', false],
    ])('%s', async (_what, path, body, status, type, recorded) => {
      const { res, trace } = await place.traced(path, { body }, refused);
      expect(res.status).toBe(status);
      expect(trace).toMatchTree('http-request {@status=*}\n  POST {@status=error}\n    http-request {@service=dynamo-frontend, @status=error}');
      const ours = oursOf(trace);
      expect(ours.fields).toMatchObject({ status: 'error', error_type: type });
      if (!recorded) return expect(writtenBy(place, trace, jsonl)).toBeUndefined();
      const theirs = await theirsOf(place, trace, jsonl);
      // Of a model that it does not know Dynamo records another name.
      table.compare({ ...ours.fields, model: status === 404 ? theirs['model'] : ours.fields['model'] }, theirs);
    });

    it.each([['529: the worker is at capacity', faults.overload(), 529, 'overload'], ['503: the worker is going away', faults.unavailable(), 503, 'unavailable']] as const)('%s', async (_what, fault, status, type) => {
      const model = `m-${randomUUID()}`;
      await place.harness.worker(`dynamo.${model}.generate`, undefined, { model, faults: [fault] });
      await place.dynamo.serves(model);
      const { res, trace } = await place.traced(CHAT, { body: { ...chat(1), model } }, refused);
      expect(res.status).toBe(status);
      expect(oursOf(trace).fields).toMatchObject({ status: 'error', error_type: type });
      table.compare(oursOf(trace).fields, await theirsOf(place, trace, jsonl));
    });

    it.each([['streamed', { stream: true }], ['unary', {}]])('cancelled in mid-stream, %s: cancelled in every process', async (_what, more) => {
      const id = randomUUID();
      const stop = new AbortController();
      const received = (): number => place.mockers[0]!.log.split('request received').length;
      const before = received();
      const asked = place.ask(CHAT, { body: chat(2000, more), headers: { 'x-request-id': id }, signal: stop.signal });
      if ('stream' in more) await begun(await asked, 3);
      else await until('the worker to get the request', () => received() > before);
      stop.abort();
      await asked.catch(() => undefined);
      const trace = await place.harness.trace(id, through);
      // 1.5.0 calls a unary request whose client has left a success now and then.
      const known = release !== '1.5.0' || 'stream' in more;
      expect(trace).toMatchTree(`
        http-request {request.outcome=cancelled}
          POST
            http-request {@service=dynamo-frontend, request.outcome=${known ? 'cancelled' : '*'}}
              router.route_request {@service=dynamo-frontend, request.outcome=cancelled}
                handle_payload {@service=dynamo-worker}
      `);
      expect(oursOf(trace).fields).toMatchObject({ status: 'cancelled', error_type: 'cancelled' });
      if (known) table.compare(oursOf(trace).fields, await theirsOf(place, trace, jsonl));
    });

    it('x-dynamo-meta-* headers are the metadata of the request at the worker', async () => {
      const model = `m-${randomUUID()}`;
      const seen: unknown[] = [];
      const answer = mockModel({ tokens: 1 });
      await place.harness.worker(`dynamo.${model}.generate`, (request: object, context) => {
        seen.push({ ...context.metadata });
        return answer(request, context);
      }, { model });
      await place.dynamo.serves(model);
      const { res } = await place.traced(CHAT, { body: { ...chat(1), model }, headers: { 'x-dynamo-meta-tenant': 'acme' } }, through);
      expect([res.status, seen]).toEqual([200, [expect.objectContaining({ tenant: 'acme' })]]);
    });

    describe('traceparent', () => {
      const ask = async (flags: string, url?: string, options = through): ReturnType<Deployment['traced']> =>
        place.traced(CHAT, { body: { ...chat(1), model: TEXT_MODEL }, headers: { traceparent: `00-${traceId()}-00f067aa0ba902b7-${flags}`, tracestate: 'vendor=a:1' }, ...(url === undefined ? {} : { url }) }, options);

      it('flags 01: continued to the worker; tracestate ends at the frontend', async () => {
        const { res, trace } = await ask('01');
        expect(trace).toBeConnectedTrace();
        expect(place.harness).toHavePropagated(res, { exceptHeaders: ['tracestate'] });
        expect(place.harness.audit(res).problems).toMatchObject([{ hop: 'dynamo → worker text.backend.generate', header: 'tracestate', cause: 'the sender did not send it' }]);
      });

      it('flags 03: Dynamo begins a new trace, and the audit says where', async () => {
        const { res } = await ask('03', undefined, spans('http-request', 'POST'));
        const wrong = place.harness.audit(res).problems.filter(({ header }) => header === 'traceparent');
        expect(wrong).toMatchObject([{ hop: 'dynamo → worker text.backend.generate', cause: 'it continues another trace: two traces in one request' }]);
      });

      it("flags 03 with randomFlag: 'drop' in the gateway: continued", async () => {
        const { res, trace } = await ask('03', await gatewayBefore(place.dynamo.url, place.harness, { randomFlag: 'drop' }));
        expect(trace).toBeConnectedTrace();
        expect(place.harness).toHavePropagated(res, { exceptHeaders: ['tracestate'] });
      });
    });

    it('every field that docs/dynamo.md calls equal was compared', () => {
      expect(table.neverCompared()).toEqual([]);
    });
  });
}, frontendMissing);

function frontendSpan(trace: HarnessTrace): HarnessTrace['spans'][number]['attributes'] {
  return trace.spans.find(({ service, name }) => service === 'dynamo-frontend' && name === 'http-request')!.attributes;
}
