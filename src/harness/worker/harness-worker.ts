import type { LoggerOption } from '../../logging/index.js';
import { RequestPlaneServer, type ModelDraft, type Network, type ServedEndpoint } from '../../transport/index.js';
import { WorkerLink, type Fault, type InjectedFault, type InjectOptions, type LinkRequest } from '../link/index.js';
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
  /**
   * Serves this model of a Dynamo frontend (`harness.dynamo()`): a name for chat completions, completions and embeddings, each
   * request as the client sent it; or what `discovery.announceModel()` takes. Not with `transport: 'memory'`. Default: no model.
   */
  readonly model?: string | ModelDraft | undefined;
}

/** What a worker needs of its harness. */
export interface WorkerSurroundings {
  readonly network: Network;
  readonly logger: LoggerOption;
  /** A request has come over the worker's link. */
  onRequest(worker: HarnessWorker, request: LinkRequest): void;
  /** Something that waiters may wait for has happened. */
  onChange(): void;
}

const HOST = '127.0.0.1';

/** A worker of a harness: a real request plane server with a link in front of it that notes requests and plays faults. */
export class HarnessWorker {
  readonly #link: WorkerLink;
  readonly #server: RequestPlaneServer;
  readonly #script: WatchedScript;
  #endpoint: ServedEndpoint | undefined;
  #closed = false;
  /** @internal Who calls it, in names of hops. */
  readonly caller: 'gateway' | 'dynamo';

  private constructor(
    /** `namespace.component.endpoint`. */
    readonly name: string,
    script: WorkerScript,
    options: WorkerOptions,
    surroundings: WorkerSurroundings,
    /** What the matchers ask about traces. */
    readonly harness: object,
  ) {
    this.#script = new WatchedScript(script, () => surroundings.onChange());
    this.#link = new WorkerLink(surroundings.network, (request) => surroundings.onRequest(this, request));
    this.caller = options.model === undefined ? 'gateway' : 'dynamo';
    for (const fault of options.faults ?? []) this.inject(fault);
    const { instanceId, concurrency, queue } = options;
    // No variable of the environment decides what a test's worker does.
    this.#server = new RequestPlaneServer({ network: this.#link, host: HOST, port: 0, logger: surroundings.logger, instanceId, workerPoolSize: concurrency, workQueueSize: queue, env: spanEnvironment() });
  }

  /** @internal Starts a worker; `harness.worker()` does it for you. */
  static async start(name: string, script: WorkerScript, options: WorkerOptions, surroundings: WorkerSurroundings, harness: object): Promise<HarnessWorker> {
    const worker = new HarnessWorker(name, script, options, surroundings, harness);
    await worker.#server.listen();
    worker.#endpoint = worker.#server.endpoint(name, worker.#script.handler);
    return worker;
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

  /** @internal Connections of the worker that are open. */
  get openConnections(): number {
    return this.#link.open;
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
    if (this.#closed) return;
    this.#closed = true;
    const closed = this.#server.close({ graceMs: 0 });
    this.#link.destroy();
    await closed;
  }
}

/** Spans are filtered as the process says; limits and ports are not. */
function spanEnvironment(): Record<string, string | undefined> {
  return { DYN_LOG: process.env['DYN_LOG'] };
}
