import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { faults, startHarness, type Fault, type Harness } from 'dynamo-tracing/harness';

const SIZE = 8 * 1024 * 1024;

/** Bytes that are copied in JavaScript while `run` is running: what joins and copies buffers is counted. */
async function bytesCopied(run: () => Promise<void>): Promise<number> {
  const { concat } = Buffer;
  const copy: (this: Buffer, ...args: Parameters<Buffer['copy']>) => number = Buffer.prototype.copy;
  let copied = 0;
  Buffer.concat = (list, length) => {
    const joined = concat(list, length);
    copied += joined.length;
    return joined;
  };
  Buffer.prototype.copy = function (this: Buffer, ...args: Parameters<Buffer['copy']>) {
    const count = copy.apply(this, args);
    copied += count;
    return count;
  };
  try {
    await run();
  } finally {
    Object.assign(Buffer, { concat });
    Buffer.prototype.copy = copy;
  }
  return copied;
}

describe('a large frame on a worker link', () => {
  let harness: Harness;
  beforeEach(async () => {
    harness = await startHarness({ transport: 'tcp' });
  });
  afterEach(() => harness.close());

  /** A prompt of SIZE bytes to a worker that answers with as many. */
  async function call(fault?: Fault): Promise<void> {
    const worker = await harness.worker('dynamo.backend.echo', (request: { prompt: string }) => [request.prompt]);
    if (fault !== undefined) worker.inject(fault);
    const items: unknown[] = [];
    for await (const item of harness.client().generate(worker.address, { prompt: 'x'.repeat(SIZE) })) items.push(item);
    expect(items).toEqual(['x'.repeat(SIZE)]);
  }

  it('is copied once when it arrives in pieces, as on a plain server', async () => {
    // The client joins the pieces of the answer, the link those of the question: one copy each.
    expect(await bytesCopied(() => call())).toBeLessThan(2.1 * SIZE);
  });

  it('is copied once more by a fault that changes its head', async () => {
    expect(await bytesCopied(() => call(faults.dropHeaders('tracestate')))).toBeLessThan(3.1 * SIZE);
  });
});
