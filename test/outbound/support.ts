import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TraceScope } from '../../src/trace-context/index.js';

/** A request as it came over the wire. */
export interface Arrived {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: IncomingMessage['headers'];
  /** Every value of a header that arrived, one entry per line. */
  lines(name: string): string[];
  readonly body: string;
}

export interface Upstream {
  readonly url: string;
  readonly port: number;
  readonly arrived: Arrived[];
  close(): Promise<void>;
}

/** A real HTTP server that keeps what arrives, then answers. */
export async function startUpstream(answer: (req: IncomingMessage, res: ServerResponse) => void = (_req, res) => void res.end('ok')): Promise<Upstream> {
  const arrived: Arrived[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.setEncoding('utf8').on('data', (chunk: string) => (body += chunk)).on('end', () => {
      const lines = (name: string): string[] => req.rawHeaders.flatMap((key, i) => (i % 2 === 0 && key.toLowerCase() === name ? [req.rawHeaders[i + 1]!] : []));
      arrived.push({ method: req.method, path: req.url, headers: req.headers, lines, body });
      answer(req, res);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    arrived,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export const scope: TraceScope = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 1, tracestate: 'foo=1', xRequestId: 'mine', requestId: '0f4ac56e-5bd1-4657-bf8b-39cdcde9036b',
};
/** A traceparent of the scope's trace, from a span that is not the scope's own. */
export const childTraceparent = new RegExp(`^00-${scope.traceId}-(?!${scope.spanId})[0-9a-f]{16}-01$`);
/** The traceparent that the client of the gateway sent. */
export const theirs = `00-${scope.traceId}-${'c'.repeat(16)}-01`;
/** What a gateway that copies the client's headers passes to its HTTP client. */
export const copied = { TraceParent: theirs, tracestate: 'old=1', 'X-Request-Id': 'old', 'Request-Id': 'old too', accept: 'text/plain' };
