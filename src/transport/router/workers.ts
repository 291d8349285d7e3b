import { DynamoTracingError, isDynamoTracingError } from '../../errors/index.js';
import { guarded, invalidOption, reportFault } from '../../internal/index.js';
import { parseWorkerAddress, type PayloadCodecName } from '../../protocol/index.js';
import type { Instance, InstanceTransport } from '../discovery/index.js';
import { instanceIdOption } from '../discovery/record.js';

/** A worker that requests can be routed to. */
export interface RoutedWorker {
  /** Its instance id; undefined for a static address that names none. */
  readonly workerId: bigint | undefined;
  /** Request plane that it is reached over. */
  readonly plane: 'tcp' | 'nats';
  /** TCP: `[tcp://]ip:port/endpoint_path`; NATS: the subject. */
  readonly address: string;
  readonly codec: PayloadCodecName;
}

/** Where a router finds its workers; every `Discovery` is one, of the file store or of etcd. */
export interface WorkerDiscovery {
  /** The workers of `endpoint` (`namespace.component.endpoint`), kept up to date until the list is closed. */
  watch(endpoint: string): Promise<WorkerList>;
}

/** A discovery with what it is asked for. */
interface WorkerPlace {
  readonly discovery: WorkerDiscovery;
  readonly endpoint: string;
}

/** A worker given by hand: an address as TCP workers have it, a transport as discovery has it, or a whole instance. */
export type StaticWorker = string | InstanceTransport | Instance;

/** Workers that change: what a watch of discovery gives. */
export interface WorkerList {
  readonly instances: readonly Instance[];
  /** Hears every change. Without it, vanished workers are noticed by their silence alone. */
  onChange?(listener: () => void): unknown;
  close(): void;
}

function workerOfInstance({ instanceId, transport, codec }: Instance): RoutedWorker {
  const { plane, address } = reach(transport);
  return Object.freeze({ workerId: instanceId, plane, address, codec }); // handed out to hooks, and shared by all requests
}

/** Reads workers given by hand; those without a codec of their own get `codec`. @throws ERR_OPTION_INVALID, ERR_ADDRESS_INVALID */
export function readStaticWorkers(given: readonly unknown[], codec: PayloadCodecName, path: string): readonly RoutedWorker[] {
  return given.map((worker, index) => readStaticWorker(worker, codec, `${path}[${index}]`));
}

function readStaticWorker(given: unknown, codec: PayloadCodecName, path: string): RoutedWorker {
  const instance = typeof given === 'object' && given !== null && 'transport' in given ? (given as Instance) : undefined;
  const transport = typeof given === 'string' ? { tcp: given } : (instance?.transport ?? given);
  if (!isTransport(transport)) throw invalidOption(path, 'an address, { tcp }, { nats_tcp } or an instance', given);
  if ('tcp' in transport) parseWorkerAddress(transport.tcp);
  const { plane, address } = reach(transport);
  if (instance === undefined) return Object.freeze({ workerId: idIn(plane, address), plane, address, codec });
  if (instanceIdOption(instance.instanceId, `${path}.instanceId`) === undefined) throw invalidOption(`${path}.instanceId`, 'a BigInt from 0 to 2^64 - 1', undefined);
  return workerOfInstance(instance);
}

function reach(transport: InstanceTransport): Pick<RoutedWorker, 'plane' | 'address'> {
  return 'tcp' in transport ? { plane: 'tcp', address: transport.tcp } : { plane: 'nats', address: transport.nats_tcp };
}

/** The instance id that an address holds where Dynamo puts it: `ip:port/<hex>/...`, `subject-<hex>`. */
function idIn(plane: RoutedWorker['plane'], address: string): bigint | undefined {
  const hex = plane === 'nats' ? /-([0-9a-f]{1,16})$/.exec(address) : /^(?:tcp:\/\/)?[^/]+\/([0-9a-f]{1,16})\//.exec(address);
  return hex?.[1] === undefined ? undefined : BigInt(`0x${hex[1]}`);
}

function isTransport(value: unknown): value is InstanceTransport {
  if (typeof value !== 'object' || value === null) return false;
  return ('tcp' in value && typeof value.tcp === 'string') || ('nats_tcp' in value && typeof value.nats_tcp === 'string');
}

/** A discovery of somebody's own may yield anything; one bad instance does not cost the others their requests. */
function isReadable(instance: Instance | null | undefined): boolean {
  if (isTransport(instance?.transport)) return true;
  reportFault('discovery', new TypeError('an instance has no transport'));
  return false;
}

function isWorkerList(value: unknown): value is WorkerList {
  return typeof value === 'object' && value !== null && Array.isArray((value as WorkerList).instances) && typeof (value as WorkerList).close === 'function';
}

/** Who is told about the workers that come and go. */
export interface SourceListener {
  onFound(worker: RoutedWorker): void;
  onGone(worker: RoutedWorker): void;
}

/** The workers of a router: given once, or those that discovery sees now. */
export class WorkerSource {
  #watch: Promise<WorkerList> | undefined;
  /** What `#watch` has resolved to. */
  #list: WorkerList | undefined;
  #closed = false;
  /** Workers that discovery has named and not taken back. */
  #present = new Map<string, RoutedWorker>();
  #seen: { readonly instances: readonly Instance[]; readonly workers: readonly RoutedWorker[] } | undefined;

  constructor(
    private readonly workers: readonly RoutedWorker[] | WorkerPlace,
    private readonly listener: SourceListener,
  ) {}

  /** What discovery is asked for; undefined for static workers. */
  get endpoint(): string | undefined {
    return 'discovery' in this.workers ? this.workers.endpoint : undefined;
  }

  /** @throws ERR_DISCOVERY */
  async list(): Promise<readonly RoutedWorker[]> {
    if (!('discovery' in this.workers)) return this.workers;
    const { endpoint } = this.workers;
    try {
      return this.#take(await this.#watched(this.workers));
    } catch (cause) {
      if (isDynamoTracingError(cause)) throw cause;
      throw new DynamoTracingError('ERR_DISCOVERY', `the discovery could not tell the workers of ${endpoint}`, { endpoint, cause });
    }
  }

  #take({ instances }: WorkerList): readonly RoutedWorker[] {
    // A watch gives the same list until something changes: it is translated once.
    if (this.#seen?.instances === instances) return this.#seen.workers;
    const workers = instances.filter(isReadable).map(workerOfInstance);
    this.#seen = { instances, workers };
    const before = this.#present;
    this.#present = new Map(workers.map((worker) => [worker.address, worker]));
    for (const worker of workers) if (!before.has(worker.address)) this.listener.onFound(worker);
    for (const [address, worker] of before) if (!this.#present.has(address)) this.listener.onGone(worker);
    return workers;
  }

  /** Closes the watch; one that has not begun yet, once it has. */
  close(): void {
    this.#closed = true;
    const list = this.#list;
    this.#list = undefined;
    if (list !== undefined) guarded('discovery', () => list.close(), undefined);
  }

  /** The watch, begun at the first request; one that could not begin is tried again at the next. */
  #watched({ discovery, endpoint }: WorkerPlace): Promise<WorkerList> {
    this.#watch ??= this.#begin(discovery, endpoint).catch((error: unknown) => {
      this.#watch = undefined;
      throw error;
    });
    return this.#watch;
  }

  async #begin(discovery: WorkerDiscovery, endpoint: string): Promise<WorkerList> {
    const list: unknown = await discovery.watch(endpoint);
    if (!isWorkerList(list)) throw new TypeError('its watch is no list of instances');
    if (this.#closed) guarded('discovery', () => list.close(), undefined);
    else this.#list = list;
    // The discovery calls this: what goes wrong here must not be thrown into it. A list that tells no changes is read at each request.
    guarded('discovery', () => list.onChange?.(() => guarded('discovery', () => void this.#take(list), undefined)), undefined);
    return list;
  }
}
