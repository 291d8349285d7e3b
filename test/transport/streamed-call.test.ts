import { afterEach, describe, expect, it } from '@jest/globals';
import { annotated, type RequestContext } from 'dynamo-tracing/transport';
import { cleanUp, collect, failure, makeClient, serve } from './support';

afterEach(cleanUp);

describe('a streamed call', () => {
  it.each(['json', 'msgpack'] as const)('brings every item in order with %s', async (codec) => {
    const worker = await serve(async function* (request: { n: number }) {
      for (let i = 0; i < request.n; i += 1) yield { i, id: 18446744073709551615n };
    });
    const items = await collect(makeClient().generate(worker.address, { n: 3 }, { codec }));
    expect(items).toEqual([0, 1, 2].map((i) => ({ i, id: 18446744073709551615n })));
  });

  it('carries ids, headers and metadata to the handler', async () => {
    let seen: RequestContext | undefined;
    const worker = await serve(async function* (_request, context) {
      seen = context;
      yield context.metadata['tenant'];
    });
    const requestId = '7b0c2f3e-9d8a-4c1b-8a61-0f0f3a1c2d3e';
    await expect(collect(makeClient().generate(worker.address, null, { requestId, metadata: { tenant: 'a' }, headers: { 'x-extra': 'yes' } }))).resolves.toEqual(['a']);
    expect(seen).toMatchObject({ requestId, namespace: 'dynamo', component: 'backend', endpoint: 'generate', stopped: false, killed: false });
    expect(seen!.headers).toMatchObject({ 'request-id': requestId, 'x-extra': 'yes', 'x-endpoint-path': worker.path });
    expect(seen!.instanceId).toBe(worker.instanceId);
  });

  it('yields whole items when asked to, errors included, and bare data otherwise', async () => {
    const worker = await serve(async function* () {
      yield annotated({ event: 'llm_metrics', comment: ['{}'] });
      yield { _dynamo_annotated: true, data: 1, id: '7' };
      yield 2;
      throw Object.assign(new Error('bad prompt'), { status: 400 });
    });
    const client = makeClient();
    await expect(collect(client.generate(worker.address, 0, { annotated: true }))).resolves.toEqual([
      { event: 'llm_metrics', comment: ['{}'] }, { data: 1, id: '7' }, { data: 2 },
      { event: 'error', error: { errorType: 'backend_invalid_argument', message: '{"message":"bad prompt","code":400}' } },
    ]);
    const seen: unknown[] = [];
    const error = await failure((async () => { for await (const item of client.generate(worker.address, 0)) seen.push(item); })());
    expect(seen).toEqual([1, 2]);
    expect(error).toMatchObject({ code: 'ERR_WORKER_ERROR', errorType: 'backend_invalid_argument' });
  });

  it('reports in the prologue what fails before there is a stream', async () => {
    const worker = await serve(() => { throw new Error('no model'); });
    expect(await failure(collect(makeClient().generate(worker.address, 0)))).toMatchObject({ code: 'ERR_GENERATE_FAILED', prologue: 'Generate Error: Error: no model', errorType: 'backend_unknown' });
    const nothing = await serve((() => undefined) as never);
    expect(await failure(collect(makeClient().generate(nothing.address, 0)))).toMatchObject({ code: 'ERR_GENERATE_FAILED' });
  });
});
