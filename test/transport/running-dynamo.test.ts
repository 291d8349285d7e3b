/** What running Dynamo processes taught (docs/interop.md), in small: `npm run test:interop` shows the same with the real ones. */
import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from '@jest/globals';
import { setTraceScope } from '../../src/trace-context/index';
import { ACCEPT, cleanUp, collect, dialHome, dataFrame, failure, FINAL, FrameTap, headerFrame, itemFrame, makeClient, PROLOGUE, rawWorker, SENTINEL, serve } from './support';

afterEach(cleanUp);

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const SPAN_ID = 'b7ad6b7169203331';

describe('the traceparent of a request', () => {
  // Workers of 1.5 and 1.6 begin a new trace for any flags but 00 and 01.
  it.each([[0, '00'], [1, '01'], [2, '00'], [3, '01']])('carries the sampled flag alone: flags %i go as %s', async (traceFlags, flags) => {
    const worker = await serve(async function* (_request, { headers }) { yield headers['traceparent']; });
    const parent = { traceId: TRACE_ID, spanId: SPAN_ID, traceFlags, isRemote: true };
    const context = setTraceScope(trace.setSpanContext(ROOT_CONTEXT, parent), parent);
    await expect(collect(await makeClient().openStream(worker.address, 1, { context }))).resolves.toEqual([`00-${TRACE_ID}-${SPAN_ID}-${flags}`]);
  });
});

describe('the caller', () => {
  it('tells a worker that calls after its caller has left to drop the request, before it closes', async () => {
    const abort = new AbortController();
    let home: Promise<FrameTap> | undefined;
    const worker = await rawWorker((_frame, socket, control) => {
      socket.write(ACCEPT);
      home = opening.then(() => dialHome(control)).then((dialled) => new FrameTap(dialled));
      setImmediate(() => abort.abort());
    });
    const opening = failure(makeClient().openStream(worker.address, 1, { signal: abort.signal }));
    expect(await opening).toMatchObject({ code: 'ERR_CANCELLED' });
    const tap = (await home)!;
    expect(await tap.next()).toBe('"kill"');
    expect(await tap.next()).toBeUndefined();
  });

  it.each([
    ['1.4: text alone', { error: 'Generate Error: ValueError: no' }, undefined],
    ['1.5: type and message', { error: 'Generate Error: ValueError: no', typed_error: { error_type: 'Unknown', message: 'ValueError: no' } }, 'unknown'],
    ['1.6: class, reason and diagnostic', { error: 'Generate Error: ValueError: no', typed_error: { error_type: 'Unknown', class: 'Internal', reason: 'runtime.unclassified', message: 'ValueError: no', diagnostic: 'ValueError: no' } }, 'unknown'],
  ])('reads an error prologue with a sentinel behind it (%s)', async (_release, prologue, errorType) => {
    const worker = await rawWorker((_frame, socket, control) => {
      socket.write(ACCEPT);
      void dialHome(control).then((home) => home.write(Buffer.concat([headerFrame(Buffer.from(JSON.stringify(prologue))), SENTINEL])));
    });
    const error = await failure(makeClient().openStream(worker.address, 1));
    expect(error).toMatchObject({ code: 'ERR_GENERATE_FAILED', prologue: prologue.error });
    expect(error['errorType']).toBe(errorType);
  });

  it('reads an item that comes with the final mark', async () => {
    const worker = await rawWorker((_frame, socket, control) => {
      socket.write(ACCEPT);
      void dialHome(control).then((home) => home.write(Buffer.concat([PROLOGUE, itemFrame(1), dataFrame({ data: { data: 2 }, complete_final: true }), SENTINEL])));
    });
    await expect(collect(await makeClient().openStream(worker.address, 1))).resolves.toEqual([1, 2]);
  });

  it('takes the end of the connection after the final mark for the end, without a sentinel', async () => {
    const worker = await rawWorker((_frame, socket, control) => {
      socket.write(ACCEPT);
      void dialHome(control).then((home) => home.end(Buffer.concat([PROLOGUE, itemFrame(1), FINAL])));
    });
    await expect(collect(await makeClient().openStream(worker.address, 1))).resolves.toEqual([1]);
  });
});
