import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { LogEntry } from 'dynamo-tracing';
import { openResponses } from '../../src/middleware/open-responses.js';
import { CHAT, chat } from '../support/client.js';
import { FRAMEWORKS, type RawHandler, type TestServer } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';

const REQUESTS = 10_000;
const CONCURRENCY = 100;
const ENDINGS = ['json', 'stream', 'refused', 'stream-error', 'throw', 'destroy', 'leave-early', 'leave-midway'] as const;
type Ending = (typeof ENDINGS)[number];

const EXPECTED: Readonly<Record<Ending, string>> = {
  json: 'success', stream: 'success', refused: 'error', 'stream-error': 'error', throw: 'error', destroy: 'error', 'leave-early': 'cancelled', 'leave-midway': 'cancelled',
};

const handler: RawHandler = async (req, res) => {
  const ending = req.headers['x-ending'] as Ending;
  if (ending === 'json') return void res.end('{"usage":{"prompt_tokens":1,"completion_tokens":1}}');
  if (ending === 'refused') return void res.writeHead(503).end('{}');
  if (ending === 'throw') throw new Error('planted');
  if (ending === 'leave-early') return; // The client leaves; nothing is ever answered.
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  res.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
  await delay(1);
  if (ending === 'destroy') return void res.destroy();
  if (ending === 'stream-error') return void res.end('data: {"error":{"message":"planted"}}\n\n');
  if (ending === 'stream') return void res.end('data: [DONE]\n\n');
};

/** One request that ends as asked; resolves when its client side is over. */
function once(port: number, agent: Agent, ending: Ending, id: string): Promise<void> {
  return new Promise((resolve) => {
    const body = chat({ stream: true });
    const req = request({ host: '127.0.0.1', port, agent, method: 'POST', path: CHAT, headers: { 'content-type': 'application/json', 'content-length': body.length, 'x-request-id': id, 'x-ending': ending } }, (res) => {
      res.on('data', () => {
        if (ending === 'leave-midway') req.destroy();
      });
      res.on('close', resolve);
      res.on('error', () => undefined);
    });
    req.on('error', () => resolve());
    req.end(body);
    if (ending === 'leave-early') req.once('finish', () => setTimeout(() => req.destroy(), 5));
  });
}

describe.each(FRAMEWORKS.filter(({ name }) => name.endsWith('5')))('$name', ({ start }) => {
  let tap: RecordTap;
  let server: TestServer;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(async () => {
    await server.close();
    tap.stop();
  });

  test('10,000 requests with mixed endings each leave one completed record, and nothing else behind', async () => {
    let inflight = 0;
    server = await start({ tracing: { logger: false, onReceived: () => (inflight += 1), onCompleted: () => (inflight -= 1) }, raw: { [CHAT]: handler } });
    const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
    const run = async (requests: number): Promise<void> => {
      const endings = await sendAll(server.port, agent, requests);
      await tap.until(() => tap.of('request completed').length >= requests, `${requests} completions`);
      expect(wrongEndings(endings, tap.of('request completed'))).toEqual([]);
      expect(tap.of('request received')).toHaveLength(requests);
      expect(inflight).toBe(0);
      expect(openResponses()).toEqual([]);
      tap.entries.length = 0;
    };
    await run(2000);
    const before = [liveHeap(), listeners(server)] as const;
    await run(REQUESTS);
    expect(listeners(server)).toBe(before[1]);
    expect(liveHeap() - before[0]).toBeLessThan(8 * 2 ** 20);
    agent.destroy();
    server.server.closeAllConnections();
    expect(await new Promise((resolve) => server.server.getConnections((_error, count) => resolve(count)))).toBe(0);
  }, 180_000);
});

/** Sends the requests, every ending in turn; the ending of each by its id. */
async function sendAll(port: number, agent: Agent, requests: number): Promise<Map<string, Ending>> {
  const endings = new Map<string, Ending>();
  const plan = Array.from({ length: requests }, (_, i) => ENDINGS[i % ENDINGS.length]!);
  await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
    for (let ending = plan.pop(); ending !== undefined; ending = plan.pop()) {
      const id = randomUUID();
      endings.set(id, ending);
      await once(port, agent, ending, id);
    }
  }));
  return endings;
}

/** Requests that do not have exactly one completion with the status that belongs to their ending. */
function wrongEndings(endings: ReadonlyMap<string, Ending>, entries: readonly LogEntry[]): string[] {
  const statuses = new Map<string, string[]>();
  for (const { scope, fields } of entries) statuses.set(scope!.xRequestId!, [...(statuses.get(scope!.xRequestId!) ?? []), String(fields['status'])]);
  return [...endings].flatMap(([id, ending]) => {
    const seen = statuses.get(id)?.join(', ') ?? 'none';
    return seen === EXPECTED[ending] ? [] : [`${ending}: ${seen}`];
  });
}

function listeners({ server }: TestServer): number {
  return [server, process].reduce((sum, emitter) => sum + emitter.eventNames().reduce((count, name) => count + emitter.listenerCount(name as string), 0), 0);
}

const gc = (setFlagsFromString('--expose-gc'), runInNewContext('gc') as () => void);

/** Heap in use after a collection, in bytes. */
function liveHeap(): number {
  gc();
  return process.memoryUsage().heapUsed;
}
