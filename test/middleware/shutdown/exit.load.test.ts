/** Requests that are open when their process ends. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { CHAT, chat, open, rawRequest, received } from '../../support/client.js';
import { until } from '../../support/until.js';

const SCRIPT = join(__dirname, '..', '..', 'fixtures', 'shutdown', 'server.ts');
const REQUESTS = 20;

/** A server in a process of its own with requests open: bodies half sent, answers awaited, streams begun. */
class ServerProcess {
  stdout = '';
  stderr = '';
  readonly child;
  readonly #closed: Promise<void>;

  constructor(framework: string, ending: string) {
    this.child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, framework, ending, String(REQUESTS)], { env: { ...process.env, DYN_LOG: 'info', DYN_LOGGING_JSONL: '1' }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child.stdout.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.#closed = new Promise((resolve) => this.child.on('close', () => resolve()));
  }

  async fill(): Promise<Awaited<ReturnType<typeof open>>[]> {
    await until('the port', () => this.stdout.includes('port '));
    const port = Number(/port (\d+)/.exec(this.stdout)![1]);
    const sockets = await Promise.all(Array.from({ length: REQUESTS }, async (_, n) => {
      const socket = await open(port);
      const kind = n % 3;
      if (kind === 2) socket.write(rawRequest(CHAT, chat({ stream: true }), { 'x-stream': '1' }));
      else socket.write(rawRequest(CHAT, chat(), kind === 0 ? { 'content-length': '1000' } : {}));
      if (kind === 2) await received(socket, 'data: ');
      socket.resume();
      return socket;
    }));
    await until('every request', () => this.stdout.includes('open'));
    return sockets;
  }

  /** How many requests have been completed as what, by the records and by `onCompleted`. */
  async ended(): Promise<{ records: Record<string, number>; callbacks: Record<string, number> }> {
    await this.#closed;
    const lines = this.stderr.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
    const records = lines.filter(({ message }) => message === 'request completed').map(({ status, error_type: type }) => `${String(status)} ${String(type)}`);
    return { records: counted(records), callbacks: counted([...this.stdout.matchAll(/completed (\w+)/g)].map(([, status]) => status!)) };
  }
}

function counted(texts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
}

describe.each(['node:http', 'Express', 'Fastify'])('%s', (framework) => {
  let server: ServerProcess | undefined;
  afterEach(() => void server?.child.kill('SIGKILL'));

  test.each([
    ['closes all connections and exits', 0],
    ['closes all connections', 0],
    ['exits', 0],
    ['throws', 1],
  ])('each open request is completed as internal when the process %s', async (ending, code) => {
    server = new ServerProcess(framework, ending);
    await server.fill();
    server.child.kill('SIGTERM');
    expect(await server.ended()).toEqual({ records: { 'error internal': REQUESTS }, callbacks: { error: REQUESTS } });
    expect(server.child.exitCode).toBe(code);
  });

  test('a request whose client has just left is completed as cancelled when the process exits, the others as internal', async () => {
    server = new ServerProcess(framework, 'exits when a client leaves');
    const [first] = await server.fill();
    first!.end();
    expect(await server.ended()).toEqual({ records: { 'cancelled cancelled': 1, 'error internal': REQUESTS - 1 }, callbacks: { cancelled: 1, error: REQUESTS - 1 } });
  });
});
