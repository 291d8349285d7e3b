import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { faults, HarnessTrace, startHarness, type CapturedRecord, type FinishedSpan, type Harness, type HarnessWorker } from 'dynamo-tracing/harness';
import { timelineOf } from '../../src/harness/waterfall/timeline.js';
import { waterfallSvg } from '../../src/harness/waterfall/index.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const HOSTILE = '<img src=x onerror="alert(1)">\u202Egnp.exe\u0000';

const span = (name: string, startMs: number, durationMs: number, more: Partial<FinishedSpan> = {}): FinishedSpan => ({
  name, traceId: TRACE, spanId: name.padEnd(16, '0'), parentSpanId: undefined, parentIsRemote: false, kind: 'server', status: 'unset', statusMessage: undefined,
  attributes: {}, events: [], links: [], startMs, durationMs, tracestate: undefined, tracer: 'test', ...more,
} as FinishedSpan);
const record = (spanId: string, timeMs: number | undefined): CapturedRecord => ({ level: 'info', target: 't', message: 'm', fields: {}, timeMs, traceId: TRACE, spanId, requestId: undefined });
const trace = (spans: FinishedSpan[], more: Partial<HarnessTrace> = {}): HarnessTrace => new HarnessTrace({ traceId: TRACE, requestId: undefined, callerSpanId: undefined, spans, records: [], strays: [], requestIdsOnHops: [], ...more });

const gateway = span('gateway', 1000, 40);
const worker = span('worker', 1010, 20, { parentSpanId: gateway.spanId, service: 'decode', attributes: { namespace: 'dynamo', component: 'backend', endpoint: 'generate' } });

describe('the time axis', () => {
  it('places every span and record in parts of the whole, and has round ticks', () => {
    const { totalMs, rows, ticks } = timelineOf(trace([gateway, worker], { records: [record(worker.spanId, 1020), record(worker.spanId, undefined)] }));
    expect(totalMs).toBe(40);
    expect(rows.map(({ span: { name }, depth, left, width, place, cut }) => ({ name, depth, left, width, place, cut }))).toEqual([
      { name: 'gateway', depth: 0, left: 0, width: 1, place: undefined, cut: undefined },
      { name: 'worker', depth: 1, left: 0.25, width: 0.5, place: 'decode · dynamo.backend.generate', cut: undefined },
    ]);
    expect(rows[1]!.records.map(({ afterMs, left }) => [afterMs, left])).toEqual([[20, 0.5], [undefined, undefined]]);
    expect(ticks).toEqual([0, 10, 20, 30, 40].map((ms) => ({ ms, left: ms / 40 })));
  });

  it.each([[0, [0]], [7, [0, 2, 4, 6]], [0.35, [0, 0.1, 0.2, 0.3]], [61_000, [0, 20_000, 40_000, 60_000]]])('has few ticks for %d ms', (durationMs, expected) => {
    expect(timelineOf(trace([span('a', 0, durationMs)])).ticks.map(({ ms }) => Number(ms.toPrecision(6)))).toEqual(expected);
  });

  it('says where a trace is cut: a parent that is not there, a span in another trace', () => {
    const orphan = span('orphan', 1005, 5, { parentSpanId: 'ffffffffffffffff' });
    const stray = span('stray', 1050, 5, { traceId: '1'.repeat(32) });
    const { rows, totalMs, problems } = timelineOf(trace([gateway, orphan], { strays: [stray] }));
    expect(rows.map(({ cut }) => cut)).toEqual([undefined, 'its parent ffffffffffffffff is not in this trace', `it is in another trace, ${'1'.repeat(32)}`]);
    expect(totalMs).toBe(55);
    expect(problems.length).toBeGreaterThan(0);
  });
});

describe('writeWaterfall', () => {
  let harness: Harness;
  let fake: HarnessWorker;
  let directory: string;
  const written = async (subject: string, name: string): Promise<string> => {
    await harness.writeWaterfall(subject, join(directory, name));
    return await readFile(join(directory, name), 'utf8');
  };
  const call = async (requestId: string): Promise<void> => {
    for await (const _ of harness.client().generate(fake.address, {}, { requestId })) break;
    await harness.trace(requestId);
  };

  beforeAll(async () => {
    harness = await startHarness({ transport: 'memory' });
    directory = await mkdtemp(join(tmpdir(), 'waterfall-'));
    fake = await harness.worker('dynamo.backend.generate');
  });

  afterAll(async () => {
    await harness.close();
    await rm(directory, { recursive: true });
  });

  it('writes a page that loads nothing and in which nothing of the request is markup', async () => {
    await call(HOSTILE);
    for (const name of ['trace.html', 'trace.svg']) {
      const text = await written(HOSTILE, name);
      expect(text).toContain('client_request');
      expect(text).toContain('handle_payload');
      expect(text).toContain('dynamo.backend.generate');
      expect(text).not.toMatch(/<script|<img|onerror="|\bhref=|@import|url\(|\p{Bidi_C}|\p{Cc}(?<!\n)/u);
      expect(text.replace('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(/https?:\/\//);
    }
  });

  it('shows spans, the headers of each hop and the records with their times', async () => {
    await call('order-1');
    const page = await written('order-1', 'order.html');
    expect(page).toContain('<strong>The trace is connected</strong>');
    expect(page).toMatch(/<caption>gateway → worker dynamo\.backend\.generate<\/caption>[^]*traceparent[^]*✓ same/);
    expect(page).toMatch(/<td>\+[\d.]+ ms<\/td><td class="">info<\/td><td><\/td><td>request completed<\/td>/);
  });

  it('shows where a header was lost', async () => {
    fake.inject(faults.dropHeaders('traceparent'), { times: 1 });
    for await (const _ of harness.client().generate(fake.address, {}, { requestId: 'order-2' })) break;
    const page = await written('order-2', 'lost.html');
    expect(page).toContain('✗ lost on the way (drop traceparent)');
    expect(page).toContain('class="verdict bad"');
  });

  it('says that there are no spans', async () => {
    for (const name of ['none.html', 'none.svg']) expect(await written('unknown', name)).toContain('No spans were recorded');
  });
});

describe('the picture alone', () => {
  it('has colours for light and dark, and says in words what it shows', () => {
    const svg = waterfallSvg(trace([gateway, worker]), 'A request');
    expect(svg).toContain('@media (prefers-color-scheme:dark)');
    expect(svg).toContain('<title id="title">A request</title><desc id="desc">2 spans, 40 ms, one connected trace. gateway takes 40 ms. worker of decode · dynamo.backend.generate takes 20 ms.</desc>');
  });
});
