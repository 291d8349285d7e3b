import { DynamoTracingError } from '../../errors/index.js';
import type { PayloadCodecName } from '../../protocol/index.js';
import { Announcement } from './announcement.js';
import { readDraft, type InstanceDraft } from './draft.js';
import { makeCard, readModelDraft, type ModelCard, type ModelDraft } from './model-card.js';
import type { RecordStore } from './record-store.js';

/** What {@link Announcements} needs of its owner. */
export interface AnnouncementOwner {
  /** Codec of announcements that name none. */
  readonly codec: PayloadCodecName;
  /** Where the records of an instance go. */
  storeOf(instanceId: bigint): RecordStore;
  /** Told when the number of announcements has changed. */
  onCount(count: number): void;
}

/** What one discovery object has announced. */
export class Announcements {
  readonly #all = new Set<Announcement>();
  #closed = false;

  constructor(private readonly owner: AnnouncementOwner) {}

  [Symbol.iterator](): IterableIterator<Announcement> {
    return this.#all.values();
  }

  /** @throws ERR_OPTION_INVALID, ERR_DISCOVERY, ERR_CLIENT_CLOSED */
  async announce(draft: InstanceDraft): Promise<Announcement> {
    return this.#publish(draft, undefined);
  }

  /** @throws ERR_OPTION_INVALID, ERR_DEPENDENCY_MISSING, ERR_DISCOVERY, ERR_CLIENT_CLOSED */
  async announceModel(draft: InstanceDraft, model: ModelDraft): Promise<Announcement> {
    this.#open();
    return this.#publish(draft, await makeCard(readModelDraft(model)));
  }

  /** Withdraws everything; nothing is announced from now on. @throws ERR_DISCOVERY when a record cannot be removed */
  async close(): Promise<void> {
    this.#closed = true;
    const results = await Promise.allSettled([...this.#all].map((announcement) => announcement.withdraw()));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #publish(draft: InstanceDraft, card: ModelCard | undefined): Promise<Announcement> {
    this.#open();
    const instance = readDraft(draft, this.owner.codec);
    const announcement = new Announcement(this.owner.storeOf(instance.instanceId), (gone) => this.#forget(gone), instance, card);
    await announcement.publish();
    if (this.#closed) {
      await announcement.withdraw();
      this.#open();
    }
    this.#all.add(announcement);
    this.owner.onCount(this.#all.size);
    return announcement;
  }

  #forget(announcement: Announcement): void {
    if (this.#all.delete(announcement)) this.owner.onCount(this.#all.size);
  }

  #open(): void {
    if (this.#closed) throw new DynamoTracingError('ERR_CLIENT_CLOSED', 'discovery is closed');
  }
}
