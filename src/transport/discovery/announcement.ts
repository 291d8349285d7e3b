import { DynamoTracingError } from '../../errors/index.js';
import { encodeInstance, fileNameOf, instanceKey, type Instance } from './record.js';
import type { InstanceFiles } from './store.js';

/** Parts of an announced instance that may change. */
export type InstanceChanges = Partial<Pick<Instance, 'transport' | 'deviceType' | 'codec'>>;

/** An instance of this process in the store, kept alive until it is withdrawn. */
export class Announcement {
  readonly #fileName: string;
  #instance: Instance;
  #withdrawn = false;
  /** Steps on the file run one after the other: a keep-alive must not bring back what is being withdrawn. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly files: InstanceFiles,
    private readonly onWithdrawn: (announcement: Announcement) => void,
    instance: Instance,
  ) {
    this.#instance = instance;
    this.#fileName = fileNameOf(instanceKey(instance, instance.instanceId));
  }

  get instance(): Instance {
    return this.#instance;
  }

  /** The file that holds the record. */
  get path(): string {
    return this.files.pathOf(this.#fileName);
  }

  /**
   * Writes the record for the first time.
   * @param oldest A file of that name untouched since then (milliseconds since 1970) is a dead process's and is replaced.
   * @throws ERR_DISCOVERY when another process has announced the same instance.
   */
  async publish(oldest: number): Promise<void> {
    await this.#step(async () => {
      const content = encodeInstance(this.#instance);
      if (await this.files.create(this.#fileName, content)) return;
      const there = await this.files.state(this.#fileName);
      if (there !== undefined && there.mtimeMs >= oldest) throw new DynamoTracingError('ERR_DISCOVERY', `${this.path} is there already: another process has announced this instance`, { path: this.path });
      await this.files.replace(this.#fileName, content);
    });
  }

  /**
   * Replaces the record in one step: readers see the old one or the new one.
   * @throws ERR_DISCOVERY; ERR_CLIENT_CLOSED once withdrawn.
   */
  async update(changes: InstanceChanges): Promise<void> {
    await this.#step(async () => {
      if (this.#withdrawn) throw new DynamoTracingError('ERR_CLIENT_CLOSED', 'the instance was withdrawn');
      const next: Instance = Object.freeze({ ...this.#instance, ...changes });
      await this.files.replace(this.#fileName, encodeInstance(next));
      this.#instance = next;
    });
  }

  /**
   * Touches the file. One that another process took for dead and removed (this one was suspended, or its clock is off) is
   * written again; Dynamo's own workers stay invisible then.
   * @returns whether the file was still there
   * @throws ERR_DISCOVERY
   */
  async keepAlive(now: Date): Promise<boolean> {
    return this.#step(async () => {
      if (this.#withdrawn || (await this.files.touch(this.#fileName, now))) return true;
      await this.files.create(this.#fileName, encodeInstance(this.#instance));
      return false;
    });
  }

  /** Removes the record; later calls do nothing. @throws ERR_DISCOVERY */
  async withdraw(): Promise<void> {
    await this.#step(async () => {
      if (this.#withdrawn) return;
      this.#withdrawn = true;
      this.onWithdrawn(this);
      await this.files.remove(this.#fileName);
    });
  }

  #step<T>(step: () => Promise<T>): Promise<T> {
    const next = this.#last.then(step);
    this.#last = next.catch(() => undefined);
    return next;
  }
}
