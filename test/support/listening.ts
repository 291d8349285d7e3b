import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach } from '@jest/globals';
import type { FastifyInstance } from 'fastify';

const closing: (() => Promise<unknown>)[] = [];

/** Closes what the tests of this file have opened, after each of them. */
export function closeAfterEach(): void {
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });
}

export function closeLater(close: () => Promise<unknown>): void {
  closing.push(close);
}

/** The port of a server, as soon as it listens. */
export async function listening(server: Server): Promise<number> {
  if (!server.listening) await once(server, 'listening');
  closeLater(async () => {
    server.closeAllConnections();
    if (server.listening) await once(server.close(), 'close');
  });
  return (server.address() as AddressInfo).port;
}

export async function portOf(app: FastifyInstance): Promise<number> {
  await app.listen({ port: 0, host: '127.0.0.1' });
  return listening(app.server);
}
