import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { reportFault } from '../../internal/index.js';
import { requestBeingAnswered, type SeenHop } from '../audit/index.js';
import { hopHeaders } from '../trace/index.js';
import { LoopbackServer } from './loopback-server.js';

/** One request that an upstream got. */
export interface UpstreamRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** An HTTP server for the app under test to call: what it gets is audited as a hop. */
export class Upstream extends LoopbackServer {
  readonly requests: UpstreamRequest[] = [];

  /** @internal `harness.upstream()` starts one. */
  constructor(
    readonly name: string,
    private readonly handler: RequestListener = emptyAnswer,
    private readonly onHop: (hop: SeenHop) => void,
  ) {
    super();
  }

  protected override onRequest(req: IncomingMessage, res: ServerResponse & { req: IncomingMessage }): void {
    this.requests.push({ method: req.method ?? 'GET', url: req.url ?? '/', headers: req.headers });
    const headers = hopHeaders(req.headersDistinct);
    this.onHop({ name: `gateway → ${this.name}`, kind: 'upstream', sent: headers, received: headers, sender: requestBeingAnswered() });
    void this.#answer(req, res);
  }

  /** A handler that fails answers 500, or cuts what it has begun: thrown on, its error would end the process of the tests. */
  async #answer(req: IncomingMessage, res: ServerResponse & { req: IncomingMessage }): Promise<void> {
    try {
      await (this.handler(req, res) as unknown);
    } catch (error) {
      reportFault(`upstream ${this.name}`, error);
      if (!res.headersSent) res.writeHead(500).end();
      else if (!res.writableEnded) res.destroy();
    }
  }
}

/** The answer of an upstream that was given no handler. */
const emptyAnswer: RequestListener = (req, res) => {
  req.resume();
  req.once('end', () => res.setHeader('content-type', 'application/json').end('{}'));
};
