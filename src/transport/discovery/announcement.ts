import { DynamoTracingError } from '../../errors/index.js';
import { encodeModel, type ModelCard } from './model-card.js';
import { encodeInstance, instanceKey, type Instance } from './record.js';
import type { RecordStore, StoredRecord } from './record-store.js';

/** Parts of an announced instance that may change. */
export type InstanceChanges = Partial<Pick<Instance, 'transport' | 'deviceType' | 'codec'>>;

/** An instance of this process in the store, with the card of the model that it serves if it has one, kept alive until it is withdrawn. */
export class Announcement {
  readonly #key: string;
  #instance: Instance;
  #withdrawn = false;
  /** Steps on the records run one after the other: a keep-alive must not bring back what is being withdrawn. */
  #last: Promise<unknown> = Promise.resolve();

  /** @internal */
  constructor(
    private readonly store: RecordStore,
    private readonly onWithdrawn: (announcement: Announcement) => void,
    instance: Instance,
    private readonly card: ModelCard | undefined,
  ) {
    this.#instance = instance;
    this.#key = instanceKey(instance, instance.instanceId);
  }

  get instance(): Instance {
    return this.#instance;
  }

  /** Name of the model that is announced with the instance; undefined without one. */
  get model(): string | undefined {
    return this.card?.display_name;
  }

  /** Where the instance's record is: a file's path, or a key of etcd. */
  get path(): string {
    return this.store.pathOf({ bucket: 'instances', key: this.#key });
  }

  /**
   * @internal Writes the records for the first time.
   * @throws ERR_DISCOVERY when another process has announced the same instance.
   */
  async publish(): Promise<void> {
    await this.#step(() => this.store.publish(this.#records(this.#instance)));
  }

  /**
   * Replaces the instance's record in one step: readers see the old one or the new one.
   * @throws ERR_DISCOVERY; ERR_CLIENT_CLOSED once withdrawn.
   */
  async update(changes: InstanceChanges): Promise<void> {
    await this.#step(async () => {
      if (this.#withdrawn) throw new DynamoTracingError('ERR_CLIENT_CLOSED', 'the instance was withdrawn');
      const next: Instance = Object.freeze({ ...this.#instance, ...changes });
      await this.store.replace(this.#instanceRecord(next));
      this.#instance = next;
    });
  }

  /**
   * @internal Keeps the records alive. Those that are gone (this process was suspended, its clock is off, its lease was lost) are
   * written again.
   * @returns whether all were still there
   * @throws ERR_DISCOVERY
   */
  async keepAlive(): Promise<boolean> {
    return this.#step(async () => this.#withdrawn || this.store.keepAlive(this.#records(this.#instance)));
  }

  /** Removes the records; later calls do nothing. @throws ERR_DISCOVERY */
  async withdraw(): Promise<void> {
    await this.#step(async () => {
      if (this.#withdrawn) return;
      this.#withdrawn = true;
      this.onWithdrawn(this);
      await this.store.remove(this.#records(this.#instance).reverse());
    });
  }

  /** The instance before its model: who sees the model finds the worker. */
  #records(instance: Instance): StoredRecord[] {
    const record = this.#instanceRecord(instance);
    return this.card === undefined ? [record] : [record, { bucket: 'mdc', key: this.#key, content: encodeModel(instance, this.card) }];
  }

  #instanceRecord(instance: Instance): StoredRecord {
    return { bucket: 'instances', key: this.#key, content: encodeInstance(instance) };
  }

  #step<T>(step: () => Promise<T>): Promise<T> {
    const next = this.#last.then(step);
    this.#last = next.catch(() => undefined);
    return next;
  }
}
