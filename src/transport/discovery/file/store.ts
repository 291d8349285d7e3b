import { join } from 'node:path';
import { DynamoTracingError } from '../../../errors/index.js';
import { fileNameOf } from '../record.js';
import type { Bucket, RecordKey, RecordStore, StoredRecord } from '../record-store.js';
import { RecordFiles } from './files.js';

/** A model's card is some thousands of bytes, and a worker may add what it likes. */
const MAX_CARD_SIZE = 1_048_576;

/** The records of a file store: a directory for each kind, a file for each record. */
export class FileStore implements RecordStore {
  readonly #buckets: Readonly<Record<Bucket, RecordFiles>>;

  /** @param ttlMs A file untouched for so many milliseconds is a dead process's. */
  constructor(
    root: string,
    private readonly ttlMs: number,
    private readonly now: () => number,
  ) {
    this.#buckets = { instances: new RecordFiles(join(root, 'v1', 'instances')), mdc: new RecordFiles(join(root, 'v1', 'mdc'), MAX_CARD_SIZE) };
  }

  get instances(): RecordFiles {
    return this.#buckets.instances;
  }

  get models(): RecordFiles {
    return this.#buckets.mdc;
  }

  pathOf({ bucket, key }: RecordKey): string {
    return this.#buckets[bucket].pathOf(fileNameOf(key));
  }

  async publish(records: readonly StoredRecord[]): Promise<void> {
    const written: StoredRecord[] = [];
    try {
      for (const record of records) {
        await this.#publishOne(record);
        written.unshift(record);
      }
    } catch (error) {
      await this.remove(written).catch(() => undefined);
      throw error;
    }
  }

  async replace({ bucket, key, content }: StoredRecord): Promise<void> {
    await this.#buckets[bucket].replace(fileNameOf(key), content);
  }

  async keepAlive(records: readonly StoredRecord[]): Promise<boolean> {
    let allThere = true;
    const now = new Date(this.now());
    for (const { bucket, key, content } of records) {
      if (await this.#buckets[bucket].touch(fileNameOf(key), now)) continue;
      await this.#buckets[bucket].create(fileNameOf(key), content);
      allThere = false;
    }
    return allThere;
  }

  async remove(records: readonly RecordKey[]): Promise<void> {
    const results = await Promise.allSettled(records.map(({ bucket, key }) => this.#buckets[bucket].remove(fileNameOf(key))));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** The file of a dead process is replaced. */
  async #publishOne({ bucket, key, content }: StoredRecord): Promise<void> {
    const files = this.#buckets[bucket];
    const fileName = fileNameOf(key);
    const oldest = this.now() - this.ttlMs;
    if (await files.create(fileName, content)) return;
    const there = await files.state(fileName);
    const path = files.pathOf(fileName);
    if (there !== undefined && there.mtimeMs >= oldest) throw new DynamoTracingError('ERR_DISCOVERY', `${path} is there already: another process has announced this instance`, { path });
    await files.replace(fileName, content);
  }
}
