import { byInstanceId, endpointText, parseFileName, type DecodedRecord, type RecordOwner } from '../record.js';
import type { FileState, RecordFiles } from './files.js';

/** What was last read of a file. */
interface Known<T> {
  readonly state: FileState;
  readonly content: Buffer;
  readonly record: T | undefined;
}

/** What {@link RecordReader} needs of its owner. */
export interface ReaderOwner<T> {
  readonly files: RecordFiles;
  /** Whether a file name may have a fifth part. */
  readonly suffix?: boolean;
  decode(content: Uint8Array): DecodedRecord<T>;
  /** Told once about each file that is broken, until it changes. */
  complain(path: string, reason: string): void;
}

/**
 * Reads the live records of endpoints from one directory of the store. What has not changed since the last reading is neither read
 * nor parsed again, so that a list costs one `stat` per worker.
 */
export class RecordReader<T extends RecordOwner> {
  readonly #known = new Map<string, Known<T>>();

  constructor(private readonly owner: ReaderOwner<T>) {}

  /**
   * Records of `wanted` endpoints (as text) that were touched no longer than `ttlMs` ago, by instance id.
   * @throws ERR_DISCOVERY
   */
  async list(wanted: ReadonlySet<string>, now: number, ttlMs: number): Promise<readonly T[]> {
    const names = (await this.owner.files.list()).filter((name) => this.#isWanted(name, wanted));
    const records = await Promise.all(names.map((name) => this.#record(name, now - ttlMs)));
    this.#forget(new Set(names), wanted);
    // The name finds a record, the record says what it is: Dynamo reads both so.
    const found = records.filter((record) => record !== undefined);
    return found.filter((record) => wanted.has(endpointText(record))).sort(byInstanceId);
  }

  async #record(fileName: string, oldest: number): Promise<T | undefined> {
    const { files } = this.owner;
    const state = await files.state(fileName);
    if (state === undefined || state.mtimeMs < oldest) return undefined;
    const known = this.#known.get(fileName);
    if (known !== undefined && sameState(known.state, state)) return known.record;
    const content = await files.read(fileName);
    if (content === undefined) return undefined;
    // The same object for the same content: who watches can tell a keep-alive from a change.
    const record = known?.content.equals(content) === true ? known.record : this.#decode(fileName, content);
    this.#known.set(fileName, { state, content, record });
    return record;
  }

  #decode(fileName: string, content: Buffer): T | undefined {
    const decoded = this.owner.decode(content);
    if (decoded.kind === 'broken') this.owner.complain(this.owner.files.pathOf(fileName), decoded.reason);
    return decoded.kind === 'record' ? decoded.record : undefined;
  }

  #forget(present: ReadonlySet<string>, wanted: ReadonlySet<string>): void {
    for (const name of this.#known.keys()) if (!present.has(name) && this.#isWanted(name, wanted)) this.#known.delete(name);
  }

  #isWanted(fileName: string, wanted: ReadonlySet<string>): boolean {
    const name = parseFileName(fileName, this.owner.suffix);
    return name !== undefined && wanted.has(endpointText(name));
  }
}

function sameState(a: FileState, b: FileState): boolean {
  return a.mtimeMs === b.mtimeMs && a.size === b.size && a.inode === b.inode;
}
