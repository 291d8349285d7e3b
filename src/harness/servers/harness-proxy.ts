import type { IncomingMessage, ServerResponse } from 'node:http';
import { requestBeingAnswered, requestHop, type SeenHop } from '../audit/index.js';
import { Injections, ofKind, onSide, type Fault, type InjectedFault, type InjectOptions } from '../link/index.js';
import { changed, distinct, endToEnd, forward, type RawHeaders } from './forward.js';
import { LoopbackServer } from './loopback-server.js';

/** One request that came to a proxy. */
export interface ProxiedRequest {
  /** Requests of this proxy before it. */
  readonly index: number;
  readonly method: string;
  readonly url: string;
  /** Headers as the gateway sent them, by lower-case name. */
  readonly sent: Readonly<Record<string, readonly string[]>>;
  /** Headers as the server behind the proxy got them; undefined while the request has not been sent on. */
  readonly received: Readonly<Record<string, readonly string[]>> | undefined;
  /** Status of the answer; undefined while there is none. */
  readonly status: number | undefined;
  /** Code of what broke the connection to the server behind the proxy, e.g. ECONNREFUSED. */
  readonly error: string | undefined;
  /** Names of the faults that hit it. */
  readonly faults: readonly string[];
}

type Recorded = { -readonly [K in keyof ProxiedRequest]: ProxiedRequest[K] };

/** What can happen to an HTTP request; everything else is about frames. */
function isHttpFault(fault: Fault): boolean {
  if (fault.kind === 'stop') return fault.how !== 'crash' && typeof fault.point !== 'object';
  return fault.kind === 'headers' || fault.kind === 'status' || fault.kind === 'delay' || (fault.kind === 'truncate' && fault.on === 'response');
}

/** A reverse proxy on loopback that notes what goes through it and plays faults: HTTP/1.1, both ways as it comes. */
export class HarnessProxy extends LoopbackServer {
  readonly requests: ProxiedRequest[] = [];
  readonly #injections = new Injections<ProxiedRequest>({ name: 'HTTP: headers, delay, truncate of the response, status, hang and disconnect before an answer', takes: isHttpFault });

  /** @internal `harness.proxy()` starts one. */
  constructor(
    private readonly target: URL,
    private readonly onHop: (hop: SeenHop) => void,
    readonly name = target.host,
  ) {
    super();
  }

  /**
   * Lets a fault at its requests, from the next one on: `dropHeaders` (without names: the trace headers), `alterHeaders`, `delay`,
   * `truncate(bytes, 'response')`, `status`, `hang()`, `disconnect('beforeAck')`.
   * @throws ERR_OPTION_INVALID for another one
   */
  inject(fault: Fault, options?: InjectOptions<ProxiedRequest>): InjectedFault {
    return this.#injections.add(fault, options);
  }

  /** Takes all faults away; requests that hang go on. */
  heal(): void {
    this.#injections.clear();
  }

  /** Refuses new connections; requests that are under way go on. `restart()` ends it. */
  refuseConnections(): void {
    this.refuse();
  }

  /** Accepts connections again, at the same address. */
  async restart(): Promise<void> {
    await this.listen(this.port);
  }

  override async close(): Promise<void> {
    await super.close();
    this.#injections.close();
  }

  protected override onRequest(req: IncomingMessage, res: ServerResponse): void {
    const request: Recorded = { index: this.requests.length, method: req.method ?? 'GET', url: req.url ?? '/', sent: distinct(req.rawHeaders), received: undefined, status: undefined, error: undefined, faults: [] };
    const hitting = this.#injections.hitting(request);
    request.faults = hitting.map(({ name }) => name);
    this.requests.push(request);
    this.onHop(requestHop(`gateway → ${this.name}`, 'upstream', request, requestBeingAnswered()));
    this.#play(hitting, request, req, res);
  }

  #play(hitting: readonly Fault[], request: Recorded, req: IncomingMessage, res: ServerResponse): void {
    const [stop] = ofKind(hitting, 'stop');
    const [status] = ofKind(hitting, 'status');
    if (stop?.how === 'disconnect') return void req.socket.resetAndDestroy();
    const go = (): void => {
      if (res.destroyed) return;
      if (status === undefined) return this.#forward(hitting, request, req, res);
      req.resume();
      request.status = status.status;
      res.writeHead(status.status, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message: `the harness answers ${status.status}`, type: 'harness', code: status.status } }));
    };
    const later = (): void => this.#injections.after(onSide(hitting, 'delay', 'request')?.ms ?? 0, go);
    if (stop === undefined) later();
    else this.#injections.untilCleared(later);
  }

  #forward(hitting: readonly Fault[], request: Recorded, req: IncomingMessage, res: ServerResponse): void {
    let headers: RawHeaders = endToEnd(req.rawHeaders, 'host', 'expect');
    for (const { change } of ofKind(hitting, 'headers')) headers = changed(headers, change);
    request.received = distinct(headers);
    forward(this.target, headers, req, res, {
      onAnswer: (status, go) => {
        request.status = status;
        this.#injections.after(onSide(hitting, 'delay', 'response')?.ms ?? 0, go);
      },
      onError: (code) => (request.error = code),
      cutAfter: onSide(hitting, 'truncate', 'response')?.bytes,
    });
  }
}
