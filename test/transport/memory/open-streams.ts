import { RequestPlaneClient, RequestPlaneServer, Router, type PayloadCodecName } from 'dynamo-tracing/transport';

// Opens many streams with long prompts, within a process of their own, and writes how many bytes are held for each prompt byte: run by memory.load.test.ts.
const [, , opener, codec] = process.argv as unknown as [string, string, 'client' | 'router', PayloadCodecName];
const STREAMS = 200;
const PROMPT = 262_144;
/** Share of the prompts that may be held. */
const LIMIT = 1 / 8;
const collect = (globalThis as unknown as { gc: () => void }).gc;

/** Heap and buffers after a collection, in bytes. */
async function heldBytes(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

void (async () => {
  const server = new RequestPlaneServer({ logger: false });
  await server.listen();
  // The handler lets its argument go: what a generator function was called with, the engine keeps for as long as it runs.
  const { address } = server.endpoint('dynamo.backend.generate', (request) => {
    const { length } = (request as { prompt: string }).prompt;
    return (async function * () {
      yield length;
      await new Promise(() => undefined);
    })();
  });
  const client = new RequestPlaneClient({ requestTimeoutMs: 30_000, logger: false });
  const router = new Router({ client, addresses: [address], codec, logger: false, env: {} });
  const open = async (n: number): Promise<AsyncIterableIterator<unknown>> => {
    const request = { prompt: `${n} `.padEnd(PROMPT, 'x') };
    const stream = opener === 'router' ? router.generate(request) : client.generate(address, request, { codec });
    const { value } = await stream.next();
    if (value !== PROMPT) throw new Error(`the worker read ${String(value)} characters`);
    return stream;
  };
  await open(0);
  const before = await heldBytes();
  const streams = [];
  for (let n = 1; n <= STREAMS; n += 1) streams.push(await open(n));
  // What a turn still refers to is let go with it, and what one collection has found is freed by the next: what is held stays, whatever is tried.
  let held = Infinity;
  for (let round = 0; round < 500 && held >= LIMIT; round += 1) held = (await heldBytes() - before) / (streams.length * PROMPT);
  process.stdout.write(String(held));
  process.exit(0);
})();
