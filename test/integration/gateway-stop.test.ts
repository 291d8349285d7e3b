/** How the example gateway ends: what holds it, and what is left written. */
import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { stopper } from '../../examples/gateway/stop.js';
import { ExampleProcess } from '../support/processes.js';

const CHAT = JSON.stringify({ model: 'mock-model', messages: [{ role: 'user', content: 'hi' }], max_tokens: 100_000, stream: true });

describe('SIGTERM', () => {
  let gateway: ExampleProcess | undefined;
  afterEach(() => void gateway?.child.kill('SIGKILL'));

  test('once more while a stream is open: the stream is cut, its record is written, exit 0', async () => {
    gateway = ExampleProcess.start('main', { MOCK_TOKEN_DELAY_MS: '20' });
    const exited = once(gateway.child, 'exit');
    const res = await fetch(`${await gateway.address()}/v1/chat/completions`, { method: 'POST', body: CHAT, headers: { 'content-type': 'application/json' } });
    await res.body!.getReader().read();
    gateway.child.kill('SIGTERM');
    await gateway.record('draining');
    gateway.child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(gateway.records('request completed').map(({ target, status }) => [String(target).replace(/.*::/, ''), status])).toEqual(expect.arrayContaining([['request', 'error']]));
  }, 30_000);
});

describe('a server that is stopped', () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  afterEach(() => agent.destroy());

  /** Answers when it is told to; kept-alive connections would stay for ever. */
  async function serve() {
    const server = createServer({ keepAliveTimeout: 0 }, (req, res) => {
      if (req.url === '/begun') res.write('begun ');
      server.once(req.url === '/late' ? 'late' : 'finish', () => res.end('end'));
    }).listen(0, '127.0.0.1');
    const stop = stopper(server);
    await once(server, 'listening');
    const ask = (path: string) => {
      const req = request({ agent, port: (server.address() as AddressInfo).port, path }).end();
      return once(req, 'response') as Promise<[IncomingMessage]>;
    };
    return { server, stop, ask };
  }
  const textOf = async (res: IncomingMessage): Promise<string> => (await res.setEncoding('utf8').toArray()).join('');

  test.each(['/begun', '/waiting'])('lets a request in flight end, and its kept-alive connection does not hold it (%s)', async (path) => {
    const { server, stop, ask } = await serve();
    const requested = once(server, 'request');
    const answer = ask(path);
    await requested;
    const first = path === '/begun' ? await answer : undefined;
    const stopped = stop(new AbortController().signal);
    server.emit('finish');
    const [res] = first ?? await answer;
    expect(await textOf(res)).toMatch(/end$/);
    await stopped;
  });

  test('answers a request that waits behind another on the same connection', async () => {
    const { server, stop } = await serve();
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    let requests = 0;
    const both = new Promise<void>((resolve) => server.on('request', () => {
      if ((requests += 1) === 2) resolve();
    }));
    socket.write('GET /begun HTTP/1.1\r\nhost: x\r\n\r\nGET /late HTTP/1.1\r\nhost: x\r\n\r\n');
    await both;
    const stopped = stop(new AbortController().signal);
    socket.setEncoding('utf8').once('data', () => server.emit('finish'));
    let text = '';
    for await (const piece of socket) {
      text += String(piece);
      if (text.includes('\r\n3\r\nend\r\n')) server.emit('late');
    }
    expect(text).toMatch(/\r\n\r\nend$/);
    await stopped;
  });

  test('cuts what is open when it is told to hurry', async () => {
    const { stop, ask } = await serve();
    const [res] = await ask('/begun');
    const hurry = new AbortController();
    const stopped = stop(hurry.signal);
    hurry.abort();
    await expect(textOf(res)).rejects.toThrow('aborted');
    await stopped;
  });
});
