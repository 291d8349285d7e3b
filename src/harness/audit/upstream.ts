import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import { LoopbackServer } from '../loopback-server.js';
import { hopHeaders } from '../trace/index.js';
import type { SeenHop } from './hop.js';
import { requestBeingAnswered } from './http-tap.js';

/** One request that an upstream got. */
export interface UpstreamRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** An HTTP server for the app under test to call: what it gets is audited as a hop. */
export class Upstream {
  readonly requests: UpstreamRequest[] = [];
  readonly #server: LoopbackServer;

  private constructor(
    readonly name: string,
    handler: RequestListener,
    onHop: (hop: SeenHop) => void,
  ) {
    this.#server = new LoopbackServer((req, res) => {
      this.requests.push({ method: req.method ?? 'GET', url: req.url ?? '/', headers: req.headers });
      const headers = hopHeaders(req.headersDistinct);
      onHop({ name: `gateway → ${name}`, kind: 'upstream', sent: headers, received: headers, controlId: undefined, faults: [], sender: requestBeingAnswered() });
      handler(req, res);
    });
  }

  /** @internal Starts one on loopback; `harness.upstream()` does it for you. */
  static async start(name: string, handler: RequestListener, onHop: (hop: SeenHop) => void): Promise<Upstream> {
    const upstream = new Upstream(name, handler, onHop);
    await upstream.#server.listen();
    return upstream;
  }

  get port(): number {
    return this.#server.port;
  }

  /** `http://127.0.0.1:port`. */
  get url(): string {
    return this.#server.url;
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}

/** The answer of an upstream that was given no handler. */
export const emptyAnswer: RequestListener = (req, res) => {
  req.resume();
  req.once('end', () => res.setHeader('content-type', 'application/json').end('{}'));
};
