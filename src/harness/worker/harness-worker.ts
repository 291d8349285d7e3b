import type { LoggerOption } from '../../logging/index.js';
import { RequestPlaneServer, type Network, type ServedEndpoint } from '../../transport/index.js';
import { requestHop, type SeenHop } from '../audit/index.js';
import { WorkerLink, type Fault, type InjectedFault, type InjectOptions, type LinkRequest } from '../link/index.js';
import { spanEnvironment } from '../options.js';
import { WatchedScript, type WorkerCall, type WorkerScript } from './script.js';

/** Options of one worker. */
export interface WorkerOptions {
  /** Faults of every request. Default none; `inject()` adds more. */
  readonly faults?: readonly Fault[] | undefined;
  /** Id of the worker, under 2^64. Default: random. */
  readonly instanceId?: bigint | undefined;
  /** Requests served at one time. Default 10000. */
  readonly concurrency?: number | undefined;
  /** Requests that wait for their turn; more are refused as overload. Default 40000. */
  readonly queue?: number | undefined;
}

/** What a worker needs of its harness. */
export interface WorkerSurroundings {
  readonly network: Network;
  readonly logger: LoggerOption;
  /** What the matchers ask about traces. */
  readonly harness: object;
  /** A request has come over the worker's link. */
  readonly onHop: (hop: SeenHop) => void;
  /** Something that waiters may wait for has happened. */
  readonly onChange: () => void;
}

/** A worker of a harness: a real request plane server with a link in front of it that notes requests and plays faults. */
export class HarnessWorker {
  readonly #link: WorkerLink;
  readonly #server: RequestPlaneServer;
  readonly #script: WatchedScript;
  #endpoint: ServedEndpoint | undefined;
  /** @internal */
  readonly harness: object;

  /** @internal `harness.worker()` starts one. */
  constructor(
    /** `namespace.component.endpoint`. */
    readonly name: string,
    script: WorkerScript,
    { faults = [], instanceId, concurrency, queue }: WorkerOptions,
    { network, logger, harness, onHop, onChange }: WorkerSurroundings,
  ) {
    this.harness = harness;
    this.#script = new WatchedScript(script, onChange);
    // No sender: a connection carries frames of many requests, what wrote to it says nothing.
    this.#link = new WorkerLink(network, (request) => onHop(requestHop(`gateway → worker ${name}`, 'tcp', request)));
    for (const fault of faults) this.inject(fault);
    this.#server = new RequestPlaneServer({ network: this.#link, host: '127.0.0.1', port: 0, logger, instanceId, workerPoolSize: concurrency, workQueueSize: queue, env: spanEnvironment() });
  }

  /** @internal */
  async listen(): Promise<this> {
    await this.#server.listen();
    this.#endpoint = this.#server.endpoint(this.name, this.#script.handler);
    return this;
  }

  /** `tcp://127.0.0.1:port/path`, for whatever calls it. */
  get address(): string {
    return this.#endpoint?.address ?? '';
  }

  get instanceId(): bigint {
    return this.#server.instanceId;
  }

  /** Every request that came over its link: headers as they were sent and as they were received. */
  get requests(): readonly LinkRequest[] {
    return this.#link.requests;
  }

  /** Every request that its script got. */
  get calls(): readonly WorkerCall[] {
    return this.#script.calls;
  }

  /** Calls that its script is busy with. */
  get running(): readonly WorkerCall[] {
    return this.#script.running;
  }

  /** @internal */
  leaks(): readonly string[] {
    const running = this.running.map(({ requestId, items }) => `its script still runs request ${requestId} (${items} items): does it watch context.signal?`);
    return this.#link.open === 0 ? running : [`${this.#link.open} sockets are open`, ...running];
  }

  /** Lets a fault at its requests, from the next one on. */
  inject(fault: Fault, options?: InjectOptions): InjectedFault {
    return this.#link.injections.add(fault, options);
  }

  /** Takes all faults away. */
  heal(): void {
    this.#link.injections.clear();
  }

  /** Its process dies: connections break, new ones are refused, until `restart()`. */
  crash(): void {
    this.#link.crash();
  }

  /** Accepts connections again, at the same address. */
  async restart(): Promise<void> {
    await this.#link.accept();
  }

  /** Refuses new connections; open ones stay. `restart()` ends it. */
  async refuseConnections(): Promise<void> {
    await this.#link.refuse();
  }

  /** Kills what is running and closes its port. The harness does it for all its workers. */
  async close(): Promise<void> {
    const closed = this.#server.close({ graceMs: 0 });
    this.#link.destroy();
    await closed;
  }
}
