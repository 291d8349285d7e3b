import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { LogEntry } from 'dynamo-tracing';
import { CHAT, chat } from '../support/client.js';
import { FRAMEWORKS, type RawHandler, type TestServer } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';

const REQUESTS = 10_000;
const CONCURRENCY = 100;
const ENDINGS = ['json', 'stream', 'refused', 'stream-error', 'throw', 'destroy', 'leave-early', 'leave-midway'] as const;
type Ending = (typeof ENDINGS)[number];

const EXPECTED: Readonly<Record<Ending, readonly string[]>> = {
  json: ['success'], stream: ['success'], refused: ['error'], 'stream-error': ['error'], throw: ['error'], destroy: ['error'],
  'leave-early': ['cancelled'], 'leave-midway': ['cancelled'],
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
    server = await start({ tracing: { logger: false }, raw: { [CHAT]: handler } });
    const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
    const endings = new Map<string, Ending>();
    const plan = Array.from({ length: REQUESTS }, (_, i) => ENDINGS[i % ENDINGS.length]!);
    const worker = async (): Promise<void> => {
      for (let ending = plan.pop(); ending !== undefined; ending = plan.pop()) {
        const id = randomUUID();
        endings.set(id, ending);
        await once(server.port, agent, ending, id);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    agent.destroy();
    const listeners = process.listenerCount('warning');
    await tap.until(() => tap.of('request completed').length >= REQUESTS, `${REQUESTS} completions`, 20_000);

    const completed = new Map<string, LogEntry[]>();
    for (const entry of tap.of('request completed')) completed.set(entry.scope!.xRequestId!, [...(completed.get(entry.scope!.xRequestId!) ?? []), entry]);
    const wrong = [...endings].filter(([id, ending]) => {
      const entries = completed.get(id) ?? [];
      return entries.length !== 1 || !EXPECTED[ending].includes(String(entries[0]!.fields['status']));
    }).map(([id, ending]) => `${ending}: ${(completed.get(id) ?? []).map((entry) => String(entry.fields['status'])).join(', ') || 'none'}`);
    expect(wrong).toEqual([]);
    expect(tap.of('request received')).toHaveLength(REQUESTS);
    expect(process.listenerCount('warning')).toBe(listeners);
    server.server.closeAllConnections();
    expect(await new Promise((resolve) => server.server.getConnections((_error, count) => resolve(count)))).toBe(0);
  }, 60_000);
});
