import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { dynamoTracing } from '../../../../src/index.js';

// Answers clients that do not read, within a process of its own, and writes how many bytes are held for each byte of the answers: run by memory.test.ts.
const [, , form] = process.argv;
const CLIENTS = 20;
const SIZE = 8 * 2 ** 20;
/** Share of the answers that may be held. */
const LIMIT = 1 / 4;
const collect = (globalThis as unknown as { gc: () => void }).gc;

/** Heap and buffers after a collection, in bytes. */
async function heldBytes(): Promise<number> {
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** All answers are one buffer, which the sockets only refer to. */
const bytes = Buffer.from(`{"id":"r","choices":[],"padding":"${'x'.repeat(SIZE)}","usage":{"prompt_tokens":1,"completion_tokens":2}}`);

void (async () => {
  const middleware = dynamoTracing({ logger: false, onCompleted: ({ inputTokens, outputTokens }) => tokens.push(inputTokens, outputTokens) });
  const tokens: unknown[] = [];
  const server = createServer((req, res) => middleware(req, res, () => {
    res.writeHead(200, form === 'untyped' ? {} : { 'content-type': 'application/json' });
    res.end(bytes);
  })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const ask = async (): Promise<ReturnType<typeof connect>> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}');
    await once(socket, 'readable');
    return socket;
  };
  const first = await ask();
  const before = await heldBytes();
  const sockets = [];
  for (let n = 0; n < CLIENTS; n += 1) sockets.push(await ask());
  // What one collection has found is freed by the next: what is held stays, whatever is tried.
  let held = Infinity;
  for (let round = 0; round < 100 && held >= LIMIT; round += 1) held = (await heldBytes() - before) / (CLIENTS * SIZE);
  for (const socket of [first, ...sockets]) await once(socket.resume().end(), 'close');
  process.stdout.write(JSON.stringify({ held, tokens: [...new Set(tokens)] }));
  process.exit(0);
})();
