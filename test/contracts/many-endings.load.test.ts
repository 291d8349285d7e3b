import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import { connect, constants, type ClientHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { dynamoTracing, type LogEntry } from 'dynamo-tracing';
import { openResponses } from '../../src/middleware/open-responses.js';
import { CHAT, chat } from '../support/client.js';
import { FRAMEWORKS, type Framework, type RawHandler, type TestServer } from '../support/frameworks.js';
import { RecordTap } from '../support/records.js';

/** `npm run endings` sends 20,000 to each server. */
const REQUESTS = Number(process.env['ENDINGS_REQUESTS'] ?? 2000);
const WARM_UP = Math.max(1000, REQUESTS / 10);
const CONCURRENCY = 100;
const ENDINGS = ['json', 'empty', 'stream', 'refused', 'stream-error', 'throw', 'destroy', 'destroy-early', 'destroy-with-error', 'cut-connection', 'leave-early', 'leave-midway', 'leave-in-body'] as const;
type Ending = (typeof ENDINGS)[number];

const EXPECTED: Readonly<Record<Ending, string>> = {
  json: 'success', empty: 'success', stream: 'success', refused: 'error', 'stream-error': 'error', throw: 'error',
  destroy: 'error', 'destroy-early': 'error', 'destroy-with-error': 'error', 'cut-connection': 'error',
  'leave-early': 'cancelled', 'leave-midway': 'cancelled', 'leave-in-body': 'cancelled',
};

/** How the clients leave that do so once their request has been seen, by its id. */
const leaving = new Map<string, () => void>();

const handler: RawHandler = async (req, res) => {
  const ending = req.headers['x-ending'] as Ending;
  if (ending === 'json') return void res.end('{"usage":{"prompt_tokens":1,"completion_tokens":1}}');
  if (ending === 'refused') return void res.writeHead(503).end('{}');
  if (ending === 'throw') throw new Error('planted');
  if (ending === 'empty') return void res.writeHead(204).end();
  if (ending === 'destroy-early') return void res.destroy();
  if (ending === 'leave-early') leaving.get(String(req.headers['x-request-id']))?.();
  if (ending === 'leave-early' || ending === 'leave-in-body') return; // The client leaves; nothing is ever answered.
  res.writeHead(200, { 'content-type': 'text/event-stream' });
  res.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n');
  await delay(1);
  if (ending === 'destroy') return void res.destroy();
  if (ending === 'destroy-with-error') return void res.on('error', () => undefined).destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' }));
  if (ending === 'cut-connection') {
    if ('stream' in res) (res.stream as ServerHttp2Stream).destroy();
    else req.socket.destroy();
    return;
  }
  if (ending === 'stream-error') return void res.end('data: {"error":{"message":"planted"}}\n\n');
  if (ending === 'stream') return void res.end('data: [DONE]\n\n');
};

type Send = (ending: Ending, id: string) => Promise<void>;
const headersOf = (body: string, ending: Ending, id: string): Record<string, string> => ({
  'content-type': 'application/json', 'content-length': String(body.length), 'x-request-id': id, 'x-ending': ending,
});

/** One request that ends as asked; resolves when its client side is over. */
function sendHttp1(port: number, agent: Agent): Send {
  return (ending, id) => new Promise((resolve) => {
    const body = chat({ stream: true });
    const req = request({ host: '127.0.0.1', port, agent, method: 'POST', path: CHAT, headers: headersOf(body, ending, id) }, (res) => {
      res.on('data', () => {
        if (ending === 'leave-midway') req.destroy();
      });
      res.on('close', resolve);
      res.on('error', () => undefined);
    });
    req.on('error', () => resolve());
    if (ending === 'leave-in-body') req.write(body.slice(1));
    else req.end(body);
    leaving.set(id, () => req.destroy());
  });
}

/** A server ends a session in which clients have cancelled more than a thousand streams, or 33 a second after these (nghttp2, against rapid resets). */
const REQUESTS_OF_A_SESSION = 1000;

/** Sends over one session after the other; `close` ends them all: those of before may still have streams. */
function sendHttp2(port: number): { readonly send: Send; readonly close: () => void } {
  const sessions: ClientHttp2Session[] = [];
  let sent = 0;
  const current = (): ClientHttp2Session => {
    if (sent++ % REQUESTS_OF_A_SESSION === 0) sessions.unshift(connect(`http://127.0.0.1:${port}`));
    return sessions[0]!;
  };
  const send: Send = (ending, id) => new Promise((resolve) => {
    const body = chat({ stream: true });
    const stream = current().request({ ':method': 'POST', ':path': CHAT, ...headersOf(body, ending, id) });
    const leave = (): void => stream.close(constants.NGHTTP2_CANCEL);
    stream.on('error', () => undefined).on('close', resolve).on('data', () => {
      if (ending === 'leave-midway') leave();
    });
    if (ending === 'leave-in-body') stream.write(body.slice(1));
    else stream.end(body);
    leaving.set(id, leave);
  });
  return { send, close: () => sessions.forEach((session) => session.destroy()) };
}

const NODE: Framework = {
  name: 'node:http',
  start: async ({ tracing, raw = {} }) => {
    const middleware = dynamoTracing(tracing);
    const server = createServer((req, res) => middleware(req, res, () => {
      Promise.resolve(raw[CHAT]!(req, res, (req as unknown as Parameters<RawHandler>[0] & { trace: Parameters<RawHandler>[2] }).trace)).catch(() => res.writeHead(500).end());
    })).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return { port, url: '', server, close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    } };
  },
};

describe.each([NODE, ...FRAMEWORKS.filter(({ name }) => /5/.test(name))])('$name', ({ name, start }) => {
  let tap: RecordTap;
  let server: TestServer;
  beforeEach(() => {
    tap = new RecordTap();
  });
  afterEach(async () => {
    await server.close();
    tap.stop();
  });

  test(`${REQUESTS} requests with mixed endings each leave one completed record, and nothing else behind`, async () => {
    let inflight = 0;
    server = await start({ tracing: { logger: false, onReceived: () => (inflight += 1), onCompleted: () => (inflight -= 1) }, raw: { [CHAT]: handler } });
    server.server.on('request', ({ headers }) => {
      if (headers['x-ending'] === 'leave-in-body') leaving.get(String(headers['x-request-id']))?.();
    });
    const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
    const http2 = name.includes('HTTP/2') ? sendHttp2(server.port) : undefined;
    const send = http2?.send ?? sendHttp1(server.port, agent);
    const run = async (requests: number): Promise<void> => {
      const endings = await sendAll(send, requests);
      await tap.until(() => tap.of('request completed').length >= requests, `${requests} completions`);
      expect(wrongEndings(endings, tap.of('request completed'))).toEqual([]);
      expect(tap.of('request received')).toHaveLength(requests);
      expect(inflight).toBe(0);
      expect(openResponses()).toEqual([]);
      tap.entries.length = 0;
      leaving.clear();
    };
    await run(WARM_UP);
    const before = [liveHeap(), listeners(server)] as const;
    await run(REQUESTS);
    expect(listeners(server)).toBe(before[1]);
    expect(liveHeap() - before[0]).toBeLessThan(8 * 2 ** 20);
    agent.destroy();
    http2?.close();
    if (http2 !== undefined) return;
    server.server.closeAllConnections();
    expect(await new Promise((resolve) => server.server.getConnections((_error, count) => resolve(count)))).toBe(0);
  }, 600_000);
});

/** Sends the requests, every ending in turn; the ending of each by its id. */
async function sendAll(send: Send, requests: number): Promise<Map<string, Ending>> {
  const endings = new Map<string, Ending>();
  const plan = Array.from({ length: requests }, (_, i) => ENDINGS[i % ENDINGS.length]!);
  await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
    for (let ending = plan.pop(); ending !== undefined; ending = plan.pop()) {
      const id = randomUUID();
      endings.set(id, ending);
      await send(ending, id);
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
