import type { Server, ServerResponse } from 'node:http';

const DRAIN_MS = 10_000;

/**
 * To be called before the server has requests. The function it returns stops the server: no new connections, requests in flight end
 * and their connections with them. After ten seconds, or when `hurry` aborts, what is still open is cut.
 */
export function stopper(server: Server): (hurry: AbortSignal) => Promise<void> {
  const open = new Set<ServerResponse>();
  let stopping = false;
  // A connection that is kept alive would hold the server for as long as its client likes.
  const endWithAnswer = (res: ServerResponse): void => {
    if (!res.headersSent) return void (res.shouldKeepAlive = false); // says `connection: close`
    const { socket } = res.req;
    res.once('finish', () => {
      if (![...open].some((other) => other !== res && other.req.socket === socket)) socket.end(); // else another request waits on it
    });
  };
  server.prependListener('request', (_req, res: ServerResponse) => {
    open.add(res);
    res.once('close', () => open.delete(res));
    if (stopping) endWithAnswer(res);
  });
  return async (hurry) => {
    stopping = true;
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
    open.forEach(endWithAnswer);
    const cut = (): void => server.closeAllConnections();
    const late = setTimeout(cut, DRAIN_MS);
    if (hurry.aborted) cut();
    hurry.addEventListener('abort', cut);
    await closed;
    clearTimeout(late);
  };
}
