/** Our client and Router drive a Python Dynamo worker, found through file discovery. */
import { randomBytes, randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import type { Router, StreamEnd } from 'dynamo-tracing/transport';
import { recordSpans } from '../transport/router/spans.js';
import { eachRelease } from './support/each-release.js';
import { collect, DELICATE, failing, House } from './support/house.js';
import { incoming } from './support/incoming.js';
import { pythonWorker, type SpokenProcess } from './support/python.js';
import { CODECS } from './support/releases.js';

const recorded = recordSpans();
const ENDPOINT = 'interop.python.generate';
const MiB = 2 ** 20;
/** Never ends by itself within a test. */
const SLOW = { report: false, n: 10_000, delayMs: 20 };
const values = (n: number, value: unknown = null): unknown[] => Array.from({ length: n }, (_, i) => ({ i, value }));

eachRelease('our client → Python worker', (release) => {
  describe.each(CODECS)('%s', (codec) => {
    const house = new House();
    const surroundings = { store: house.store, codec };
    let worker: SpokenProcess;
    let router: Router;

    /** Another worker, of its own endpoint unless that is named. */
    async function another(endpoint = `interop.w${randomBytes(4).toString('hex')}.generate`): Promise<{ process: SpokenProcess; endpoint: string }> {
      const process = await pythonWorker(release, endpoint, surroundings);
      house.onClose(() => process.stop());
      return { process, endpoint };
    }

    beforeAll(async () => {
      worker = (await another(ENDPOINT)).process;
      router = house.router(ENDPOINT);
    });

    it('streamed, found through its record', async () => {
      const stream = router.generate({ n: 50, report: false });
      await expect(collect(stream)).resolves.toEqual(values(50));
      await expect(stream.ended).resolves.toEqual({ outcome: 'complete' });
      expect(await router.workers()).toMatchObject([{ plane: 'tcp', codec }]);
      await worker.told('completed', stream.requestId);
    });

    it('64-bit integers, floats and Unicode exact, both ways', async () => {
      await expect(collect(router.generate({ n: 1, report: false, value: DELICATE }))).resolves.toEqual(values(1, DELICATE));
    });

    it('whole Annotated items', async () => {
      const items = [{ _dynamo_annotated: true, data: { x: 1 }, id: 'i1', event: 'ev' }, { _dynamo_annotated: true, event: 'note', comment: ['c2'] }];
      await expect(collect(router.generate({ report: false, items }, { annotated: true }))).resolves.toEqual([{ data: { x: 1 }, id: 'i1', event: 'ev' }, { event: 'note', comment: ['c2'] }]);
    });

    it('100 requests side by side', async () => {
      const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => collect(router.generate({ n: 3, report: false, value: i }))));
      expect(answers).toEqual(Array.from({ length: 100 }, (_, i) => values(3, i)));
    });

    it.each([['1 MiB', MiB], ['16 MiB', 16 * MiB]])('a payload of %s there and back', async (_title, size) => {
      const value = 'é'.repeat(size / 2);
      const [item] = await collect(router.generate<{ value: string }>({ n: 1, report: false, value }));
      expect(item?.value === value).toBe(true);
    });

    it('a request over the worker\'s limit is refused', async () => {
      const generous = house.client({ maxMessageSize: 64 * MiB });
      const { error } = await failing(house.router(ENDPOINT, { client: generous, migrationLimit: 0 }).generate({ value: 'x'.repeat(33 * MiB) }));
      // Dynamo resets the connection right after its ack, which may be lost with it.
      expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_(REQUEST_REJECTED|CONNECTION_CLOSED)$/) });
    });

    it('cancelled by AbortSignal in mid-stream: the worker is told', async () => {
      const abort = new AbortController();
      const stream = router.generate(SLOW, { signal: abort.signal });
      await stream.next();
      abort.abort();
      expect((await failing(stream)).error).toMatchObject({ code: 'ERR_CANCELLED' });
      await expect(stream.ended).resolves.toEqual({ outcome: 'cancelled', signal: 'kill' });
      await worker.told('cancelled', stream.requestId);
    });

    it('cancelled while its handler waits: the worker is told', async () => {
      const stream = router.generate({ n: 1, report: false, hang: true });
      await stream.next();
      stream.cancel();
      expect(await worker.told('cancelled', stream.requestId)).toMatchObject({ signal: 'kill' });
    });

    it('stopped: the end is clean, the worker is told', async () => {
      const stream = router.generate(SLOW);
      await stream.next();
      stream.stop();
      await collect(stream);
      await expect(stream.ended).resolves.toEqual({ outcome: 'cancelled', signal: 'stop' } satisfies StreamEnd);
      expect(await worker.told('cancelled', stream.requestId)).toMatchObject({ signal: 'stop' });
    });

    it('left by break: the worker is told', async () => {
      const stream = router.generate(SLOW);
      for await (const item of stream) if ((item as { i: number }).i === 2) break;
      await expect(stream.ended).resolves.toEqual({ outcome: 'cancelled', signal: 'stream_drop' });
      await worker.told('cancelled', stream.requestId);
    });

    it('fails before the first item', async () => {
      const { items, error } = await failing(router.generate({ failAfter: 'start', message: 'no ✗' }));
      expect(items).toEqual([]);
      expect(error).toMatchObject({ code: 'ERR_WORKER_ERROR', errorType: 'backend_invalid_argument', message: expect.stringContaining('ValueError: no ✗') });
      expect(recorded.spans()).toMatchObject([{ attributes: { 'request.outcome': 'rejected', 'error.type': 'backend_invalid_argument' } }]);
    });

    it('fails in mid-stream', async () => {
      const { items, error } = await failing(router.generate({ n: 5, failAfter: 2, report: false, error: 'RuntimeError' }));
      expect(items).toEqual(values(2));
      expect(error).toMatchObject({ code: 'ERR_WORKER_ERROR', errorType: 'backend_unknown', message: expect.stringContaining('RuntimeError: asked to fail') });
    });

    it('fails in its prologue', async () => {
      const { error } = await failing(router.generate({ failAfter: 'prologue' }));
      expect(error).toMatchObject({ code: 'ERR_GENERATE_FAILED', errorType: 'unknown', prologue: 'Generate Error: ValueError: asked to fail' });
      await expect(collect(router.generate({ n: 1, report: false }))).resolves.toEqual(values(1));
    });

    it('an endpoint that the worker does not serve is refused at once', async () => {
      const [{ address } = { address: '' }] = await router.workers();
      const { error } = await failing(house.client().generate(`${address.slice(0, address.indexOf('/'))}/aaaa/nothing`, {}, { codec }));
      expect(error).toMatchObject({ code: 'ERR_UNKNOWN_ENDPOINT', ack: expect.stringContaining('aaaa/nothing') });
    });

    it('killed (SIGKILL) in mid-stream', async () => {
      const { process, endpoint } = await another();
      const stream = house.router(endpoint).generate(SLOW);
      await stream.next();
      await process.kill();
      expect((await failing(stream)).error).toMatchObject({ code: 'ERR_STREAM_INCOMPLETE' });
      expect(recorded.spans()).toMatchObject([{ attributes: { 'request.outcome': 'worker_disconnected', 'error.type': 'disconnected' } }]);
    });

    it('dies before its prologue', async () => {
      const { endpoint } = await another();
      const { error } = await failing(house.router(endpoint).generate({ exitAfter: 'prologue' }));
      expect(error).toMatchObject({ code: 'ERR_CONNECTION_CLOSED' });
    });

    it('two workers: round robin, direct, and around the one that was killed', async () => {
      const { process: first, endpoint } = await another();
      await another(endpoint);
      const asked = house.router(endpoint);
      const workersOf = async (instanceId?: bigint): Promise<unknown[]> => {
        const ids: unknown[] = [];
        for (let i = 0; i < 4; i += 1) {
          const stream = asked.generate({ n: 1, report: false }, { instanceId });
          await collect(stream);
          ids.push(stream.workerId);
        }
        return ids;
      };
      const [a, b] = await workersOf();
      expect(a).not.toBe(b);
      expect(await workersOf()).toEqual([a, b, a, b]);
      expect(await workersOf(a as bigint)).toEqual([a, a, a, a]);
      const firstId = BigInt(String(first.lines.find(({ event }) => event === 'ready')?.['instanceId']));
      await first.kill();
      expect(await workersOf()).toEqual(Array(4).fill(firstId === a ? b : a));
    });

    it.each(['01', '03'] as const)('trace, parent span, ids, tracestate and metadata arrive as sent (caller\'s flags %s)', async (flags) => {
      const { context, traceId, tracestate, requestId, xRequestId } = incoming(randomUUID(), randomBytes(16).toString('hex'), flags);
      const metadata = { tenant: 'a', 'x-ü': 'ö✓' };
      const [report] = await collect(router.generate({ n: 0 }, { context, metadata }));
      const [attempt] = recorded.spans();
      expect(report).toMatchObject({
        id: requestId, traceId, parentSpanId: attempt!.span.spanContext().spanId, metadata,
        traceHeaders: { traceparent: expect.stringMatching(`^00-${traceId}-[0-9a-f]{16}-01$`), tracestate, 'request-id': requestId, 'x-request-id': xRequestId },
      });
      const spanId = (report as { spanId: string }).spanId;
      expect((report as { traceHeaders: { traceparent: string } }).traceHeaders.traceparent).toContain(spanId);
    });

    it('a traceparent with flags 03, sent as it is, is refused there: why ours goes without the random flag', async () => {
      const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03' };
      const [{ address } = { address: '' }] = await router.workers();
      const [report] = await collect(await house.client().openStream<{ traceId: string }>(address, { n: 0 }, { codec, headers }));
      expect(report?.traceId).toMatch(/^(?!0af7651916cd43dd8448eb211c80319c)[0-9a-f]{32}$/);
    });

    it('an unsampled trace stays unsampled and keeps its id', async () => {
      const traceId = randomBytes(16).toString('hex');
      const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-00` };
      const [{ address } = { address: '' }] = await router.workers();
      const [report] = await collect(await house.client().openStream(address, { n: 0 }, { codec, headers }));
      expect(report).toMatchObject({ traceId, parentSpanId: 'b7ad6b7169203331', traceHeaders: { traceparent: expect.stringMatching(/-00$/) } });
    });

    it('one trace through three: our client, the Python worker that forwards, our worker', async () => {
      const name = `interop.node-${codec}.generate`;
      const { lines } = await house.serve(name, codec);
      const { context, traceId, requestId, xRequestId } = incoming(randomUUID(), randomBytes(16).toString('hex'), '03');
      const [report, { forwarded }] = await collect(router.generate({ forward: { endpoint: name, request: { n: 0, report: true } } }, { context, metadata: { tenant: 'a' } })) as [{ spanId: string }, { forwarded: unknown }];
      const [attempt] = recorded.spans();
      expect(report).toMatchObject({ traceId, parentSpanId: attempt!.span.spanContext().spanId });
      expect(forwarded).toMatchObject({ id: requestId, xRequestId, traceId, metadata: { tenant: 'a' }, traceHeaders: { traceparent: expect.stringContaining(traceId), 'request-id': requestId, 'x-request-id': xRequestId } });
      // Between their handler and ours stand the spans of their client, which Dynamo's log tells.
      const { parentSpanId } = forwarded as { parentSpanId: string };
      expect(await worker.spansBetween(parentSpanId, report.spanId)).toEqual(['router.route_request', 'client_request']);
      expect(lines.at(-1)).toMatchObject({ event: 'completed', id: requestId });
      const [ours] = recorded.spans('handle_payload');
      expect(ours!.span.spanContext().traceId).toBe(traceId);
      expect(ours!.span.parentSpanContext?.spanId).toBe(parentSpanId);
    });
  });
});
