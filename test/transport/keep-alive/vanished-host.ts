import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { TLSSocket } from 'node:tls';
import { RequestPlaneClient, RequestPlaneServer, tcpNetwork, type Network, type TlsOptions } from '../../../src/transport/index.js';

// Runs in a network namespace of its own, started by keep-alive.load.test.ts: opens a stream over TCP and one over TLS, takes the address of
// both ends away, so that nothing arrives and nobody says so, and prints how both sides of each stream ended. (A queue that drops
// everything would not do: Linux does not count a question that it dropped itself.)
const HOST = '10.9.0.1';
const [certPath = '', keyPath = ''] = process.argv.slice(2);
const ip = (...args: string[]): void => void execFileSync('ip', args);
ip('link', 'set', 'lo', 'up');
ip('addr', 'add', HOST, 'dev', 'lo');

function atRest(): boolean {
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1).map((line) => line.trim().split(/\s+/));
  return rows.filter(([, , , state]) => state === '01').every(([, , , , , timer]) => timer?.startsWith('02:'));
}

/** A server's session tickets, which leave it some time after its handshake: while they are on their way its connection is not at rest. */
const tickets: Promise<unknown>[] = [];

async function open(name: string, tls: TlsOptions): Promise<() => Promise<string>> {
  const { connect, listen } = tcpNetwork({ tls, keepAliveMs: 1000, env: {} });
  const network: Network = { listen, connect: (target) => {
    const socket = connect(target);
    if (socket instanceof TLSSocket) tickets.push(once(socket, 'session'));
    return socket;
  } };
  const server = new RequestPlaneServer({ network, host: HOST, logger: false, env: {} });
  await server.listen();
  let told: ((how: string) => void) | undefined;
  const worker = new Promise<string>((resolve) => (told = resolve));
  const { address } = server.endpoint('dynamo.backend.generate', async function* (_request, context) {
    yield 'first';
    await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()));
    told?.(context.killed ? 'killed' : 'stopped');
  });
  const stream = await new RequestPlaneClient({ network, responseHost: HOST, logger: false, env: {} }).openStream(address, 1);
  await stream.next();
  return async () => {
    const caller = await stream.next().then(() => 'an item', (error: unknown) => (error as { code: string }).code);
    return `${name}: caller ${caller}, worker ${await worker}`;
  };
}

void (async () => {
  const streams = [await open('tcp', {}), await open('tls', { certPath, keyPath, insecure: true })];
  // What is on its way has timers of the system's own: only a connection at rest is asked whether it is still there.
  await Promise.all(tickets);
  while (!atRest()) await new Promise((resolve) => setTimeout(resolve, 10));
  ip('addr', 'del', `${HOST}/32`, 'dev', 'lo');
  for (const end of await Promise.all(streams.map((ended) => ended()))) process.stdout.write(`${end}\n`);
  process.exit(0);
})();
