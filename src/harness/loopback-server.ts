import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ownPort } from './audit/http-tap.js';

/** An HTTP server of the harness on 127.0.0.1. */
export class LoopbackServer {
  readonly #server: Server;
  #port = 0;
  #disown: (() => void) | undefined;

  constructor(onRequest: RequestListener) {
    this.#server = createServer(onRequest);
  }

  /** Port 0 lets the system choose. @throws what the system says, e.g. EADDRINUSE */
  async listen(port = 0): Promise<void> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
    this.#disown = ownPort(this.#port);
  }

  get port(): number {
    return this.#port;
  }

  /** `http://127.0.0.1:port`. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Stops listening and closes connections that wait for a request; `listen(port)` ends it. */
  refuse(): void {
    this.#server.close();
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
}
