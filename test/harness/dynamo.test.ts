/** What of Dynamo in the harness needs no Dynamo; test/interop runs the rest against real ones. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { missingDynamo, mockModel, startHarness, type Harness } from 'dynamo-tracing/harness';

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
