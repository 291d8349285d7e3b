/** A Python Dynamo client drives our RequestPlaneServer, announced with FileDiscovery. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { until } from '../support/until.js';
import { recordSpans } from '../transport/router/spans.js';
import { eachRelease } from './support/each-release.js';
import { DELICATE, House, type Served } from './support/house.js';
import { pythonClient, start, type Line, type SpokenProcess } from './support/python.js';
import { CODECS } from './support/releases.js';

const recorded = recordSpans();
const ROOT = join(__dirname, '..', '..');
const MiB = 2 ** 20;
/** Never ends by itself within a test. */
const SLOW = { n: 10_000, delayMs: 20 };
const values = (n: number, value: unknown = null): unknown[] => Array.from({ length: n }, (_, i) => ({ i, value }));

eachRelease('Python client → our worker', (release) => {
  const house = new House();
  let client: SpokenProcess;

  beforeAll(async () => {
    client = await pythonClient(release, { store: house.store });
    house.onClose(() => client.stop());
  });

  describe.each(CODECS)('%s', (codec) => {
    const endpoint = `interop.node-${codec}.generate`;
    let served: Served;

    /** What our handler said about a request. */
    async function told(event: string, id: string, lines = served.lines): Promise<Line> {
      const find = (): Line | undefined => lines.find((line) => line.event === event && line['id'] === id);
      await until(`our worker: ${event} of ${id}`, () => find() !== undefined);
      return find()!;
    }

    beforeAll(async () => {
      served = await house.serve(endpoint, codec);
    });

    it('streamed, found through our record', async () => {
      const id = randomUUID();
      await expect(client.ask({ endpoint, id, request: { n: 50 } })).resolves.toEqual({ items: values(50), errors: [], outcome: 'complete' });
      await told('completed', id);
    });

    it('64-bit integers, floats and Unicode exact, both ways', async () => {
      await expect(client.ask({ endpoint, request: { n: 1, value: DELICATE } })).resolves.toMatchObject({ items: values(1, DELICATE), outcome: 'complete' });
    });

    it('whole Annotated items', async () => {
      const answer = await client.ask({ endpoint, annotated: true, request: { items: [{ x: 1 }], annotated: true } });
      expect(answer).toEqual({ items: [{ data: { x: 1 }, event: 'note', comments: ['seen'], id: 'i0', isError: false }], errors: [], outcome: 'complete' });
    });

    it('100 requests side by side', async () => {
      const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => client.ask({ endpoint, request: { n: 3, value: i } })));
      expect(answers.map(({ items }) => items)).toEqual(Array.from({ length: 100 }, (_, i) => values(3, i)));
    });

    it.each([['1 MiB', MiB], ['16 MiB', 16 * MiB]])('a payload of %s there and back', async (_title, size) => {
      const value = 'é'.repeat(size / 2);
      const { items: [item] } = await client.ask({ endpoint, request: { n: 1, value } });
      expect((item as { value: string } | undefined)?.value === value).toBe(true);
    });

    it('stopped: our handler is told', async () => {
      const id = randomUUID();
      await expect(client.ask({ endpoint, id, stopAfter: 2, request: SLOW })).resolves.toMatchObject({ errors: [], outcome: 'complete' });
      expect(await told('cancelled', id)).toMatchObject({ signal: 'stop' });
    });

    it('stopped while our handler waits: it is told', async () => {
      const id = randomUUID();
      await expect(client.ask({ endpoint, id, stopAfter: 1, request: { n: 1, hang: true } })).resolves.toMatchObject({ items: values(1), errors: [], outcome: 'complete' });
      expect(await told('cancelled', id)).toMatchObject({ signal: 'stop' });
    });

    it('dropped: our handler is told', async () => {
      const id = randomUUID();
      await expect(client.ask({ endpoint, id, dropAfter: 2, request: SLOW })).resolves.toMatchObject({ items: values(2), outcome: 'dropped' });
      expect(await told('cancelled', id)).toMatchObject({ signal: 'kill' });
    });

    it('our handler fails before the first item', async () => {
      const { items, errors, outcome } = await client.ask({ endpoint, request: { failAfter: 'start' } });
      expect({ items, outcome }).toEqual({ items: [], outcome: 'error' });
      expect(errors).toMatchObject([{ message: expect.stringContaining('asked to fail') }]);
    });

    it('our handler fails in mid-stream', async () => {
      const { items, errors, outcome } = await client.ask({ endpoint, request: { n: 5, failAfter: 2 } });
      expect({ items, outcome }).toEqual({ items: values(2), outcome: 'error' });
      expect(errors).toMatchObject([{ stage: 'stream', message: expect.stringContaining('asked to fail') }]);
    });

    it('our handler fails in its prologue, and the next call works', async () => {
      const { items, errors } = await client.ask({ endpoint, request: { failAfter: 'prologue' } });
      expect(items).toEqual([]);
      expect(errors).toMatchObject([{ stage: 'request', message: expect.stringContaining('asked to fail') }]);
      await expect(client.ask({ endpoint, request: { n: 1 } })).resolves.toMatchObject({ items: values(1) });
    });

    it('our worker at capacity refuses at once', async () => {
      const busy = await house.serve(`interop.busy-${codec}.generate`, codec, { workerPoolSize: 1, workQueueSize: 0 });
      const [id, name] = [randomUUID(), `interop.busy-${codec}.generate`];
      const first = client.begin({ endpoint: name, id, stopAfter: 3, request: { n: 3, delayMs: 500 } });
      await told('request', id, busy.lines);
      const { errors, outcome } = await client.ask({ endpoint: name, request: {} });
      expect(outcome).toBe('error');
      expect(errors).toMatchObject([{ stage: 'request', message: expect.stringMatching(/overload|capacity/i) }]);
      await expect(client.answer(first)).resolves.toMatchObject({ items: values(3) });
    });

    it('an endpoint that our worker does not serve is refused at once', async () => {
      const name = `interop.gone-${codec}.generate`;
      const gone = (await house.server()).endpoint(name, async function * () { yield 1; });
      await house.announce(gone, codec);
      gone.remove();
      const { errors, outcome } = await client.ask({ endpoint: name, request: {}, timeoutMs: 5000 });
      expect(outcome).toBe('error');
      expect(errors).toMatchObject([{ stage: 'request', message: expect.stringMatching(/unknown endpoint|unavailable/i) }]);
    });

    it('our worker is killed (SIGKILL) in mid-stream', async () => {
      const name = `interop.victim-${codec}.generate`;
      const victim = await start(spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'support', 'our-worker.ts'), name, codec, house.store], { cwd: ROOT, stdio: 'pipe' }), 'our worker');
      house.onClose(() => victim.kill());
      const tag = client.begin({ endpoint: name, request: SLOW });
      await client.item(tag, 1);
      await victim.kill();
      const { errors, outcome } = await client.answer(tag);
      expect(outcome).toBe('error');
      expect(errors).toMatchObject([{ stage: 'stream', message: expect.stringMatching(/disconnect|ended before/i) }]);
    });

    it('round robin over two workers, and direct', async () => {
      const name = `interop.pair-${codec}.generate`;
      const pair = [await house.serve(name, codec), await house.serve(name, codec)];
      const counts = (): number[] => pair.map(({ lines }) => lines.filter(({ event }) => event === 'request').length);
      for (let i = 0; i < 4; i += 1) await client.ask({ endpoint: name, instances: 2, request: { n: 0 } });
      expect(counts()).toEqual([2, 2]);
      for (let i = 0; i < 3; i += 1) await client.ask({ endpoint: name, mode: 'direct', instance: String(pair[1]!.endpoint.instanceId), request: { n: 0 } });
      expect(counts()).toEqual([2, 5]);
    });

    it('trace, parent span, ids and metadata arrive as the client sent them', async () => {
      const id = randomUUID();
      const { items: [item] } = await client.ask({ endpoint, id, metadata: { tenant: 'a', 'x-ü': 'ö✓' }, request: { n: 0, report: true } });
      const report = item as { headers: Record<string, string>; traceId: string; spanId: string; parentSpanId: string };
      expect(report).toMatchObject({ id, metadata: { tenant: 'a', 'x-ü': 'ö✓' }, headers: { 'request-id': id, traceparent: `00-${report.traceId}-${report.parentSpanId}-01` } });
      // The span that they say they sent it from is our parent.
      expect((await client.spansBetween(report.parentSpanId, undefined)).length).toBeGreaterThan(0);
      await until('our span', () => recorded.spans('handle_payload').length === 1);
      const [ours] = recorded.spans('handle_payload');
      expect(ours!.span.spanContext()).toMatchObject({ traceId: report.traceId, spanId: report.spanId });
    });

    it('a request id that is no UUID: theirs goes as the id of the request', async () => {
      const { items: [item] } = await client.ask({ endpoint, id: 'my own id', request: { n: 0, report: true } });
      expect(item).toMatchObject({ id: 'my own id' });
    });
  });
});
