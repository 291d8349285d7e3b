import { DynamoTracingError, errorFact } from '../../../errors/index.js';
import { RECORD_TARGETS } from '../../../logging/index.js';
import type { Announcement } from '../announcement.js';
import { Announcements } from '../announcements.js';
import type { Discovery } from '../discovery.js';
import { nameOf, type InstanceDraft } from '../draft.js';
import type { ModelDraft, ServedModel } from '../model-card.js';
import { readEndpointName, type EndpointName, type Instance } from '../record.js';
import type { RecordStore } from '../record-store.js';
import { awaitInstances, type WaitOptions } from '../wait.js';
import type { InstanceWatch } from '../watch.js';
import { EtcdClient } from './client.js';
import { EtcdInstances } from './instances.js';
import { EtcdLease } from './lease.js';
import { readModels } from './models.js';
import { readEtcdOptions, type EtcdDiscoveryOptions, type EtcdSettings } from './settings.js';
import { WatchedEndpoint } from './watch.js';

/** Broken records that are remembered, so that each is told about once. */
const MAX_BROKEN = 1000;

/**
 * Finds and announces workers through etcd, as Dynamo does by default (DYN_DISCOVERY_BACKEND=etcd): the records of the file store under
 * a lease, over the JSON gateway that etcd has beside gRPC (3.4 and later). Nothing is connected before it is used; what is announced
 * and watched keeps no process alive. While etcd cannot be reached lists stay as they are.
 */
export class EtcdDiscovery implements Discovery {
  readonly #settings: EtcdSettings;
  readonly #client: EtcdClient;
  readonly #announcements: Announcements;
  readonly #leases = new Map<bigint, EtcdLease>();
  readonly #watched = new Map<string, Promise<WatchedEndpoint>>();
  readonly #broken = new Map<string, string>();
  #closed: Promise<void> | undefined;

  /** @throws ERR_OPTION_INVALID, ERR_ENV_INVALID */
  constructor(options?: EtcdDiscoveryOptions) {
    this.#settings = readEtcdOptions(options);
    this.#client = new EtcdClient(this.#settings);
    this.#announcements = new Announcements({ codec: this.#settings.codec, storeOf: (instanceId) => this.#leaseOf(instanceId), onCount: () => undefined });
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
    return (await this.#read(endpoint)).list;
  }

  /** As {@link Discovery.models}. */
  async models(endpoint: string | EndpointName): Promise<readonly ServedModel[]> {
    const name = readEndpointName(endpoint, 'endpoint');
    this.#open();
    return readModels(name, { client: this.#client, onBroken: (path, reason) => this.#onBroken('model', path, reason) });
  }

  /** As {@link Discovery.watch}. */
  async watch(endpoint: string | EndpointName): Promise<InstanceWatch> {
    this.#open();
    const name = nameOf(endpoint);
    const there = this.#watched.get(name);
    const watched = await (there ?? this.#begin(name));
    if (watched.ended) return this.watch(endpoint);
    const watch = watched.add();
    if (there === undefined) return watch;
    try {
      // Who has waited for an instance finds it in every other watch too, a router's for example.
      await watched.refresh();
      this.#open();
      return watch;
    } catch (error) {
      watch.close();
      throw error;
    }
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
      for (const watched of [...this.#watched.values()]) (await watched.catch(() => undefined))?.close();
      this.#client.close();
    }
  }

  #leaseOf(instanceId: bigint): RecordStore {
    const lease = this.#leases.get(instanceId) ?? new EtcdLease(instanceId, {
      client: this.#client,
      ttlSeconds: this.#settings.ttlSeconds,
      onLost: (lost) => this.#restore(lost),
      complain: ({ instanceId: id }, error) => this.#warn('etcd lease not kept alive', { instance_id: id.toString(), reason: errorFact(error, 'message') }),
      onEnd: () => this.#leases.delete(instanceId),
    });
    this.#leases.set(instanceId, lease);
    return lease.use();
  }

  /** Writes again all that was announced under a lease. */
  async #restore({ instanceId }: EtcdLease): Promise<void> {
    const announcements = [...this.#announcements].filter(({ instance }) => instance.instanceId === instanceId);
    await Promise.all(announcements.map((announcement) => announcement.keepAlive()));
    for (const { path } of announcements) this.#warn('instance record was gone and is written again', { path });
  }

  #begin(name: string): Promise<WatchedEndpoint> {
    const begun = this.#beginWatch(name);
    this.#watched.set(name, begun);
    begun.catch(() => this.#watched.delete(name));
    return begun;
  }

  async #beginWatch(name: string): Promise<WatchedEndpoint> {
    const instances = await this.#read(name);
    this.#open();
    return new WatchedEndpoint(instances, {
      client: this.#client,
      rescanMs: this.#settings.rescanMs,
      onUnwatched: (path, error) => this.#warn('instance records not watched', { path, reason: errorFact(error, 'message') }),
      onEnd: () => this.#watched.delete(name),
    });
  }

  async #read(endpoint: string | EndpointName): Promise<EtcdInstances> {
    const instances = new EtcdInstances(readEndpointName(endpoint, 'endpoint'), { client: this.#client, onBroken: (path, reason) => this.#onBroken('instance', path, reason) });
    await instances.read();
    return instances;
  }

  #onBroken(what: string, path: string, reason: string): void {
    if (this.#broken.get(path) === reason) return;
    if (this.#broken.size >= MAX_BROKEN) this.#broken.clear();
    this.#broken.set(path, reason);
    this.#warn(`${what} record ignored`, { path, reason });
  }

  #open(): void {
    if (this.#closed !== undefined) throw new DynamoTracingError('ERR_CLIENT_CLOSED', 'discovery is closed');
  }

  #warn(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#settings.log.emit('warn', RECORD_TARGETS.transport, message, fields);
  }
}
