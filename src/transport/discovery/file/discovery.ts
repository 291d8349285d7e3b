import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoTracingError, errorFact } from '../../../errors/index.js';
import { functionOption, optionalOption, readOptions, stringOption, type Environment, type OptionsOf } from '../../../internal/index.js';
import { readLogger, RECORD_TARGETS, type LoggerOption } from '../../../logging/index.js';
import type { PayloadCodecName } from '../../../protocol/index.js';
import { durationOption } from '../../deadline.js';
import type { Announcement } from '../announcement.js';
import { Announcements } from '../announcements.js';
import type { Discovery } from '../discovery.js';
import { codecFromEnv, nameOf, type InstanceDraft } from '../draft.js';
import { decodeModel, type ModelDraft, type ServedModel } from '../model-card.js';
import { decodeInstance, type EndpointName, type Instance } from '../record.js';
import { awaitInstances, type WaitOptions } from '../wait.js';
import type { InstanceWatch } from '../watch.js';
import { RecordReader } from './reader.js';
import { FileStore } from './store.js';
import { WatchedEndpoints } from './watch.js';

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

type FileDiscoverySettings = OptionsOf<typeof SPEC> & {
  /** Codec of announcements that name none. */
  readonly codec: PayloadCodecName;
};

/** @throws ERR_OPTION_INVALID */
function readFileDiscoveryOptions(options: FileDiscoveryOptions | undefined): FileDiscoverySettings {
  const read = readOptions('fileDiscovery', SPEC, options);
  const env = read.env ?? process.env;
  const fromEnv = env['DYN_FILE_KV'] ?? '';
  const root = [read.root, fromEnv].find((path) => path !== '') ?? join(tmpdir(), 'dynamo_store_kv');
  return Object.freeze({ ...read, root, codec: codecFromEnv(env) });
}

/** Milliseconds between keep-alives: a third of the time to live, at least a second. */
function keepAliveMs(ttlMs: number): number {
  return Math.max(ttlMs / 3, 1000);
}

/**
 * Finds and announces workers through Dynamo's file store (DYN_DISCOVERY_BACKEND=file): one file per instance in
 * `<root>/v1/instances` and one per model's card in `<root>/v1/mdc`, alive as long as its modification time is fresh. Nothing is
 * opened before it is used; timers keep no process alive. Dynamo's processes remove stale files, this one only ignores them.
 * Dynamo's advisory lock on the directory is not taken (Node has none): creation and replacement are atomic without it.
 */
export class FileDiscovery implements Discovery {
  readonly #settings: FileDiscoverySettings;
  readonly #store: FileStore;
  readonly #instances: RecordReader<Instance>;
  readonly #models: RecordReader<ServedModel>;
  readonly #announcements: Announcements;
  readonly #watched: WatchedEndpoints;
  #keepAlive: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  /** @throws ERR_OPTION_INVALID */
  constructor(options?: FileDiscoveryOptions) {
    this.#settings = readFileDiscoveryOptions(options);
    const { root, ttlMs, rescanMs, codec } = this.#settings;
    this.#store = new FileStore(root, ttlMs, () => this.#now());
    const files = this.#store.instances;
    this.#instances = new RecordReader({ files, decode: decodeInstance, complain: (path, reason) => this.#warn('instance record ignored', { path, reason }) });
    this.#models = new RecordReader({ files: this.#store.models, suffix: true, decode: decodeModel, complain: (path, reason) => this.#warn('model record ignored', { path, reason }) });
    this.#announcements = new Announcements({ codec, storeOf: () => this.#store, onCount: (count) => this.#onCount(count) });
    this.#watched = new WatchedEndpoints({
      directory: files.directory,
      rescanMs,
      list: (wanted) => this.#list(wanted),
      complain: (reason) => this.#warn('instance records not read', { path: files.directory, reason }),
    });
  }

  /** Root of the store. */
  get root(): string {
    return this.#settings.root;
  }

  /** As {@link Discovery.announce}. */
  announce(draft: InstanceDraft): Promise<Announcement> {
    return this.#announcements.announce(draft);
  }

  /** As {@link Discovery.announceModel}. */
  announceModel(endpoint: InstanceDraft, model: ModelDraft): Promise<Announcement> {
    return this.#announcements.announceModel(endpoint, model);
  }

  /** As {@link Discovery.instances}. */
  async instances(endpoint: string | EndpointName): Promise<readonly Instance[]> {
    this.#open();
    return this.#list(new Set([nameOf(endpoint)]));
  }

  /** As {@link Discovery.models}. */
  async models(endpoint: string | EndpointName): Promise<readonly ServedModel[]> {
    this.#open();
    return this.#models.list(new Set([nameOf(endpoint)]), this.#now(), this.#settings.ttlMs);
  }

  /** As {@link Discovery.watch}. */
  async watch(endpoint: string | EndpointName): Promise<InstanceWatch> {
    const name = nameOf(endpoint);
    this.#open();
    // A store that cannot be made here may be made by someone else later: the reading decides whether there is an error.
    await this.#store.instances.prepare().catch(() => undefined);
    const first = await this.#list(new Set([name]));
    this.#open();
    return this.#watched.add(name, first);
  }

  /** As {@link Discovery.waitForInstances}. */
  async waitForInstances(endpoint: string | EndpointName, options: WaitOptions = {}): Promise<readonly Instance[]> {
    return awaitInstances(nameOf(endpoint), () => this.watch(endpoint), options);
  }

  /** As {@link Discovery.close}. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown();
    return this.#closed;
  }

  async #shutDown(): Promise<void> {
    try {
      await this.#announcements.close();
    } finally {
      await this.#watched.close();
    }
  }

  #onCount(count: number): void {
    if (count > 0) this.#keepAlive ??= setInterval(() => this.#keepAllAlive(), keepAliveMs(this.#settings.ttlMs)).unref();
    else {
      clearInterval(this.#keepAlive);
      this.#keepAlive = undefined;
    }
  }

  #keepAllAlive(): void {
    for (const announcement of this.#announcements) {
      announcement.keepAlive().then(
        (wasThere) => wasThere || this.#warn('instance record was gone and is written again', { path: announcement.path }),
        (error: unknown) => this.#warn('instance record not kept alive', { path: announcement.path, reason: errorFact(error, 'message') }),
      );
    }
  }

  #list(wanted: ReadonlySet<string>): Promise<readonly Instance[]> {
    return this.#instances.list(wanted, this.#now(), this.#settings.ttlMs);
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
