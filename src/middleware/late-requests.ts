import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:net';

const late = new WeakSet<object>();

/** Whether its request came when the server was closing already. */
export function isLate(res: object): boolean {
  return late.has(res);
}

/** Every request of the server from now on is late, and its connection ends with the answer, until the function returned is called. */
export function markLate(server: Server): () => void {
  server.prependListener('request', onRequest);
  return () => void server.off('request', onRequest);
}

function onRequest(_req: IncomingMessage, res: ServerResponse): void {
  late.add(res);
  res.shouldKeepAlive = false; // says `connection: close`; HTTP/2 has no such header
}
