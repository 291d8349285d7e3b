/** What of Dynamo in the harness needs no Dynamo; test/interop runs the rest against real ones. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { missingDynamo, mockModel, recordOfFields, startHarness, type Collector, type Harness } from 'dynamo-tracing/harness';

const NONE = 'no-such-python-of-this-machine';

describe('a Dynamo in the harness', () => {
  let harness: Harness;
  let directory: string;

  beforeEach(async () => {
    harness = await startHarness();
    directory = mkdtempSync(join(tmpdir(), 'dynamo-test-'));
  });
  afterEach(async () => {
    await harness.close();
    rmSync(directory, { recursive: true });
  });

  it('says what is missing: a Python', async () => {
    expect(missingDynamo(NONE)).toBe(`${NONE} cannot be run as a Python 3: ENOENT`);
    await expect(harness.dynamo({ python: NONE })).rejects.toMatchObject({ code: 'ERR_DEPENDENCY_MISSING', package: 'ai-dynamo', message: missingDynamo(NONE) });
  });

  it('says what is missing: the packages', () => {
    // What a Python without them prints: whether this machine has a Python is not asked.
    const python = join(directory, 'python');
    writeFileSync(python, '#!/bin/sh\nprintf "ai-dynamo, ai-dynamo-runtime"\n', { mode: 0o755 });
    expect(missingDynamo(python)).toBe(`${python} has no ai-dynamo, ai-dynamo-runtime: pip install --no-deps ai-dynamo, then pip install ai-dynamo-runtime of the same version`);
  });

  it.each([[{ pythn: 'x' }, 'dynamo.pythn'], [{ args: 'x' }, 'dynamo.args'], [{ env: { A: 1 } }, 'dynamo.env'], [{ timeoutMs: 0 }, 'dynamo.timeoutMs']])('refuses options that it does not know: %j', async (options, path) => {
    await expect(harness.dynamo(options as never)).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path });
  });

  it('refuses a model that Dynamo would refuse, and one of a worker in memory', async () => {
    await expect(harness.worker('dynamo.backend.generate', undefined, { model: '' })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID' });
    const inMemory = await startHarness({ transport: 'memory' });
    await expect(inMemory.worker('dynamo.backend.generate', undefined, { model: 'm' })).rejects.toMatchObject({ code: 'ERR_OPTION_INVALID', path: 'startHarness.transport' });
    await inMemory.close();
  });

  it.each([
    ['chat', { messages: [{ role: 'user', content: 'a b' }], max_tokens: 2 }, 'chat.completion.chunk', [{ index: 0, delta: { role: 'assistant', content: 'token0 ' }, finish_reason: null }]],
    ['completions', { prompt: 'a b', max_tokens: 2 }, 'text_completion', [{ index: 0, text: 'token0 ', finish_reason: null, logprobs: null }]],
  ])('mockModel() answers %s in the chunks that were asked for', async (_title, request, object, choices) => {
    const worker = await harness.worker('dynamo.backend.generate', mockModel());
    const items: unknown[] = [];
    for await (const item of harness.client().generate(worker.address, { model: 'm', ...request })) items.push(item);
    expect(items).toHaveLength(3);
    expect(items[0]).toMatchObject({ object, model: 'm', choices });
    expect(items[2]).toMatchObject({ usage: { prompt_tokens: 2, completion_tokens: 2, total_tokens: 4 } });
  });

  it('mockModel() answers embeddings, one for each input', async () => {
    const worker = await harness.worker('dynamo.backend.generate', undefined, { model: 'm' });
    const items: unknown[] = [];
    for await (const item of harness.client().generate(worker.address, { model: 'm', input: ['a', 'b'] })) items.push(item);
    expect(items).toMatchObject([{ object: 'list', data: [{ index: 0 }, { index: 1 }] }]);
  });
});

it('a closable that names its own time is given it, and no more', async () => {
  const never = { close: () => new Promise(() => undefined), closeTimeoutMs: 20 };
  const harness = await startHarness({ closeTimeoutMs: 60_000 });
  harness.own('never', never);
  await expect(harness.close()).rejects.toMatchObject({ code: 'ERR_HARNESS_LEAK', leaks: ['never: did not close within 20 ms'] });
});

describe('a record whose process exports spans', () => {
  const TRACE = 'aaf7651916cd43dd8448eb211c80319c';
  const ids = { trace_id: TRACE, span_id: 'b7ad6b7169203331', span_name: 'handle_payload', request_id: '55f7987d-fb65-4184-aed5-eee45becc9bf' };
  const spans = (spanId: string): string => JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: TRACE, spanId, name: 'x', startTimeUnixNano: '1', endTimeUnixNano: '2' }] }] }] });
  const post = async (path: string, body: string): Promise<unknown> => fetch(`${collector.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  let harness: Harness;
  let collector: Collector;

  beforeEach(async () => {
    harness = await startHarness({ timeoutMs: 300 });
    collector = await harness.collector();
    await post('/v1/traces', spans('00f067aa0ba902b7'));
  });
  afterEach(() => harness.close());

  it('makes a trace wait for its span, and for the end of its request', async () => {
    harness.captureRecord({ ...recordOfFields({ message: 'request received', ...ids }), service: 'w', writer: { ended: false, exportsSpans: true } });
    await expect(harness.trace(TRACE)).rejects.toMatchObject({ code: 'ERR_TRACE_TIMEOUT', missing: ['the record "request completed" of handle_payload', 'the span handle_payload (b7ad6b7169203331) of w'] });
  });

  it('makes it wait for nothing once the process has ended, or when it is not sampled', async () => {
    harness.captureRecord({ ...recordOfFields({ message: 'request received', ...ids }), service: 'w', writer: { ended: true, exportsSpans: true } });
    harness.captureRecord({ ...recordOfFields({ message: 'Selected worker', ...ids, trace_flags: '00' }), service: 'f', writer: { ended: false, exportsSpans: true } });
    expect((await harness.trace(TRACE)).spans).toHaveLength(1);
  });

  it('does the same when the record comes over OTLP, and its service is a process of the harness', async () => {
    const state = { ended: false };
    collector.knows('w', { exportsSpans: true, get ended() { return state.ended; } });
    const attributes = Object.entries(ids).map(([key, value]) => ({ key, value: { stringValue: value } }));
    await post('/v1/logs', JSON.stringify({ resourceLogs: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'w' } }] }, scopeLogs: [{ logRecords: [{ body: { stringValue: 'request received' }, attributes }] }] }] }));
    await expect(harness.trace(TRACE)).rejects.toMatchObject({ code: 'ERR_TRACE_TIMEOUT', missing: ['the record "request completed" of handle_payload', 'the span handle_payload (b7ad6b7169203331) of w'] });
    state.ended = true;
    expect((await harness.trace(TRACE)).spans).toHaveLength(1);
  });
});
