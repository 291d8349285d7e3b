import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ownPort } from '../audit/index.js';

/** An HTTP server of the harness on 127.0.0.1. */
export abstract class LoopbackServer {
  readonly #server = createServer((req, res) => this.onRequest(req, res));
  #disown: (() => void) | undefined;
  #port = 0;

  /** @internal Port 0 lets the system choose. @throws what the system says, e.g. EADDRINUSE */
  async listen(port = 0): Promise<this> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
    this.#disown = ownPort(this.#port);
    return this;
  }

  get port(): number {
    return this.#port;
  }

  /** `http://127.0.0.1:port`. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends its connections too. */
  async close(): Promise<void> {
    this.#disown?.();
    this.#server.closeAllConnections();
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  protected abstract onRequest(req: IncomingMessage, res: ServerResponse): void;

  /** Stops listening and closes connections that wait for a request; `listen(port)` ends it. */
  protected refuse(): void {
    this.#server.close();
  }
}
