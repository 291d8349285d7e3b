import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoTracingError, errorFact } from '../../errors/index.js';
import { functionOption, invalidOption, optionalOption, readOptions, stringOption, type Environment, type OptionsOf } from '../../internal/index.js';
import { readLogger, RECORD_TARGETS, type LoggerOption } from '../../logging/index.js';
import { isPayloadCodecName, type PayloadCodecName } from '../../protocol/index.js';
import { callDuration, Deadline, durationOption } from '../deadline.js';
import { Announcement } from './announcement.js';
import { InstanceFiles, InstanceReader } from './store.js';
import { WatchedEndpoints, type InstanceWatch } from './watch.js';
import { endpointText, instanceIdOption, newInstanceId, readEndpointName, type EndpointName, type Instance, type InstanceTransport } from './record.js';

/** Options of {@link FileDiscovery}. */
export interface FileDiscoveryOptions {
  /** Root of the file store. Default: DYN_FILE_KV, else `<tmpdir>/dynamo_store_kv`, as Dynamo has it. */
  readonly root?: string | undefined;
  /** Milliseconds after which a file that nobody touched stands for a dead worker. Default 10000, at least 1000, as Dynamo has it. */
  readonly ttlMs?: number | undefined;
  /** Milliseconds between readings of a watched directory, beside those that its events ask for. Default 1000, at least 20. */
  readonly rescanMs?: number | undefined;
  /** Takes warnings: broken records, failed keep-alives. Default: the package's logger; false is silence. */
  readonly logger?: LoggerOption | undefined;
  /** Milliseconds since 1970, compared with files' modification times. Default: Date.now; for tests. */
  readonly now?: (() => number) | undefined;
  /** Variables that the defaults of `root` and of an announced codec are read from. Default process.env. */
  readonly env?: Environment | undefined;
}

const SPEC = {
  root: stringOption(''),
  ttlMs: durationOption(10_000, { min: 1000 }),
  rescanMs: durationOption(1000, { min: 20 }),
  logger: readLogger,
  now: functionOption<() => number>(),
  env: optionalOption<Environment>('an object', (value) => typeof value === 'object' && value !== null),
};

export type FileDiscoverySettings = OptionsOf<typeof SPEC> & {
  /** Codec of announcements that name none. */
  readonly codec: PayloadCodecName;
};

/** @throws ERR_OPTION_INVALID */
function readFileDiscoveryOptions(options: FileDiscoveryOptions | undefined): FileDiscoverySettings {
  const read = readOptions('fileDiscovery', SPEC, options);
  const env = read.env ?? process.env;
  const fromEnv = env['DYN_FILE_KV'] ?? '';
  const root = [read.root, fromEnv].find((path) => path !== '') ?? join(tmpdir(), 'dynamo_store_kv');
  // Dynamo's rule: unset, empty and anything else mean msgpack.
  const codec = env['DYN_REQUEST_PLANE_CODEC'];
  return Object.freeze({ ...read, root, codec: isPayloadCodecName(codec) ? codec : 'msgpack' });
}

/** Milliseconds between keep-alives: a third of the time to live, at least a second. */
export function keepAliveMs(ttlMs: number): number {
  return Math.max(ttlMs / 3, 1000);
}

/** Options of `waitForInstances`. */
export interface WaitOptions {
  /** Milliseconds to wait. Default 30000. */
  readonly timeoutMs?: number | undefined;
  /** How many instances to wait for. Default 1. */
  readonly count?: number | undefined;
  /** Ends the wait with ERR_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

/** Waits on a watch of its own, which it closes however it ends. */
async function awaitInstances(name: string, open: () => Promise<InstanceWatch>, { timeoutMs: given, count = 1, signal }: WaitOptions): Promise<readonly Instance[]> {
  const timeoutMs = callDuration(given, 30_000, 'timeoutMs');
  if (signal?.aborted === true) throw cancelled(signal);
  const watch = await open();
  try {
    return await new Promise<readonly Instance[]>((resolve, reject) => {
      // Not unref'd: the caller is waiting, its process must live to hear the answer.
      const deadline = new Deadline(timeoutMs, () => settle(() => reject(tooFew(name, watch.instances.length, count, timeoutMs))));
      const onAbort = (): void => settle(() => reject(cancelled(signal)));
      const look = (): void => {
        if (watch.instances.length >= count) settle(() => resolve(watch.instances));
      };
      const unsubscribe = watch.onChange(look);
      const onClosed = (): void => settle(() => reject(new DynamoTracingError('ERR_CLIENT_CLOSED', 'discovery was closed while waiting')));
      const unclose = watch.onClosed(onClosed);
      function settle(step: () => void): void {
        deadline.clear();
        signal?.removeEventListener('abort', onAbort);
        unsubscribe();
        unclose();
        step();
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      if (signal?.aborted === true) onAbort();
      else if (watch.closed) onClosed();
      else look();
    });
  } finally {
    watch.close();
  }
}

function tooFew(name: string, found: number, wanted: number, timeoutMs: number): DynamoTracingError {
  return new DynamoTracingError('ERR_NO_WORKERS', `${name} has ${found} of ${wanted} instances after ${timeoutMs} ms`, { endpoint: name, found, wanted, timeoutMs });
}

function cancelled(signal: AbortSignal | undefined): DynamoTracingError {
  return new DynamoTracingError('ERR_CANCELLED', 'waiting for instances was cancelled', { cause: signal?.reason });
}

/** What a worker announces. */
export interface InstanceDraft extends EndpointName {
  readonly transport: InstanceTransport;
  /** Default: a new random one. */
  readonly instanceId?: bigint | undefined;
  /** `cpu` or `cuda`. Default: not said. */
  readonly deviceType?: string | undefined;
  /** Default DYN_REQUEST_PLANE_CODEC, else `msgpack`, as in Dynamo. */
  readonly codec?: PayloadCodecName | undefined;
}

/**
 * Finds and announces workers through Dynamo's file store (DYN_DISCOVERY_BACKEND=file): one file per instance in
 * `<root>/v1/instances`, alive as long as its modification time is fresh. Nothing is opened before it is used; timers keep
 * no process alive. Dynamo's processes remove stale files, this one only ignores them. Dynamo's advisory lock on the
 * directory is not taken (Node has none): creation and replacement are atomic without it.
 */
export class FileDiscovery {
  readonly #settings: FileDiscoverySettings;
  readonly #files: InstanceFiles;
  readonly #reader: InstanceReader;
  readonly #announcements = new Set<Announcement>();
  readonly #watched: WatchedEndpoints;
  #keepAlive: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  /** @throws ERR_OPTION_INVALID */
  constructor(options?: FileDiscoveryOptions) {
    this.#settings = readFileDiscoveryOptions(options);
    this.#files = new InstanceFiles(this.#settings.root);
    this.#reader = new InstanceReader(this.#files, (path, reason) => this.#warn('instance record ignored', { path, reason }));
    this.#watched = new WatchedEndpoints({
      directory: this.#files.directory,
      rescanMs: this.#settings.rescanMs,
      list: (wanted) => this.#list(wanted),
      complain: (reason) => this.#warn('instance records not read', { path: this.#files.directory, reason }),
    });
  }

  /** Root of the store. */
  get root(): string {
    return this.#settings.root;
  }

  /**
   * Writes an instance's record and keeps it alive until it is withdrawn or this object closed.
   * @throws ERR_OPTION_INVALID; ERR_DISCOVERY when it cannot be written or is announced already; ERR_CLIENT_CLOSED
   */
  async announce(draft: InstanceDraft): Promise<Announcement> {
    this.#open();
    const announcement = new Announcement(this.#files, (gone) => this.#forget(gone), readDraft(draft, this.#settings.codec));
    await announcement.publish(this.#now() - this.#settings.ttlMs);
    if (this.#closed !== undefined) {
      await announcement.withdraw();
      this.#open();
    }
    this.#announcements.add(announcement);
    this.#keepAlive ??= setInterval(() => this.#touchAll(), keepAliveMs(this.#settings.ttlMs)).unref();
    return announcement;
  }

  /**
   * The live instances of an endpoint (`namespace.component.endpoint`), by id. An empty or missing store has none.
   * @throws ERR_OPTION_INVALID, ERR_DISCOVERY, ERR_CLIENT_CLOSED
   */
  async instances(endpoint: string | EndpointName): Promise<readonly Instance[]> {
    this.#open();
    return this.#list(new Set([nameOf(endpoint)]));
  }

  /**
   * Watches the instances of an endpoint, beginning with the current list.
   * @throws ERR_OPTION_INVALID, ERR_DISCOVERY, ERR_CLIENT_CLOSED
   */
  async watch(endpoint: string | EndpointName): Promise<InstanceWatch> {
    const name = nameOf(endpoint);
    this.#open();
    // A store that cannot be made here may be made by someone else later: the reading decides whether there is an error.
    await this.#files.prepare().catch(() => undefined);
    const first = await this.#list(new Set([name]));
    this.#open();
    return this.#watched.add(name, first);
  }

  /**
   * Waits until an endpoint has instances.
   * @throws ERR_NO_WORKERS with `timeoutMs` when there are not enough in time; ERR_CANCELLED; ERR_DISCOVERY; ERR_CLIENT_CLOSED
   */
  async waitForInstances(endpoint: string | EndpointName, options: WaitOptions = {}): Promise<readonly Instance[]> {
    return awaitInstances(nameOf(endpoint), () => this.watch(endpoint), options);
  }

  /** Withdraws what was announced and ends every watch. @throws ERR_DISCOVERY when a file cannot be removed */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    return this.#closed;
  }

  async #shutDown(): Promise<void> {
    clearInterval(this.#keepAlive);
    await this.#watched.close();
    const results = await Promise.allSettled([...this.#announcements].map((announcement) => announcement.withdraw()));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #forget(announcement: Announcement): void {
    this.#announcements.delete(announcement);
    if (this.#announcements.size > 0) return;
    clearInterval(this.#keepAlive);
    this.#keepAlive = undefined;
  }

  #touchAll(): void {
    const now = new Date(this.#now());
    for (const announcement of this.#announcements) {
      announcement.keepAlive(now).then(
        (wasThere) => wasThere || this.#warn('instance record was gone and is written again', { path: announcement.path }),
        (error: unknown) => this.#warn('instance record not kept alive', { path: announcement.path, reason: errorFact(error, 'message') }),
      );
    }
  }

  #list(wanted: ReadonlySet<string>): Promise<readonly Instance[]> {
    return this.#reader.list(wanted, this.#now(), this.#settings.ttlMs);
  }

  #now(): number {
    return (this.#settings.now ?? Date.now)();
  }

  #open(): void {
    if (this.#closed !== undefined) throw new DynamoTracingError('ERR_CLIENT_CLOSED', 'discovery is closed');
  }

  #warn(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#settings.logger.emit('warn', RECORD_TARGETS.transport, message, fields);
  }
}

function nameOf(endpoint: string | EndpointName): string {
  return endpointText(readEndpointName(endpoint, 'endpoint'));
}

function readDraft(draft: InstanceDraft, defaultCodec: PayloadCodecName): Instance {
  const { namespace, component, endpoint } = readEndpointName(draft, 'instance');
  const { transport, deviceType, codec = defaultCodec } = draft;
  const instanceId = instanceIdOption(draft.instanceId, 'instance.instanceId') ?? newInstanceId();
  const values: readonly unknown[] = Object.values(transport);
  if (!('tcp' in transport || 'nats_tcp' in transport) || values.length !== 1 || typeof values[0] !== 'string') throw invalidOption('instance.transport', '{ tcp } or { nats_tcp }', transport);
  if (!isPayloadCodecName(codec)) throw invalidOption('instance.codec', "'json' or 'msgpack'", codec);
  return Object.freeze({ namespace, component, endpoint, instanceId, transport, ...(deviceType === undefined ? {} : { deviceType }), codec });
}
