/** The two kinds of records that are written: instances of endpoints, and the cards of the models that they serve. */
export type Bucket = 'instances' | 'mdc';

/** Where a record is: `key` is `namespace/component/endpoint/<instance id in hex>`, as it is in every bucket. */
export interface RecordKey {
  readonly bucket: Bucket;
  readonly key: string;
}

export interface StoredRecord extends RecordKey {
  readonly content: string;
}

/** Where an announcement keeps its records. What fails is ERR_DISCOVERY. */
export interface RecordStore {
  /** Where a record is, as errors and logs name it. */
  pathOf(record: RecordKey): string;
  /** Writes records for the first time: all of them, or none. @throws ERR_DISCOVERY also when a live record has one of the keys */
  publish(records: readonly StoredRecord[]): Promise<void>;
  /** Replaces a record in one step: readers see the old one or the new one. */
  replace(record: StoredRecord): Promise<void>;
  /** Makes sure that the records stay. @returns whether all were still there; those that were gone are written again */
  keepAlive(records: readonly StoredRecord[]): Promise<boolean>;
  /** Removes records; one that is gone is as good. */
  remove(records: readonly RecordKey[]): Promise<void>;
}
