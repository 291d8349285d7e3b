import { decodeInstance, endpointText, parseFileName, type Instance } from '../record.js';
import type { FileState, RecordFiles } from './files.js';

/** What was last read of a file. */
interface Known {
  readonly state: FileState;
  readonly content: Buffer;
  readonly instance: Instance | undefined;
}

/**
 * Reads the live instances of endpoints from the store. What has not changed since the last reading is neither read nor
 * parsed again, so that a list costs one `stat` per worker.
 */
export class InstanceReader {
  readonly #known = new Map<string, Known>();

  /** @param complain Told once about each file that is broken, until it changes. */
  constructor(
    private readonly files: RecordFiles,
    private readonly complain: (path: string, reason: string) => void,
  ) {}

  /**
   * Instances of `wanted` endpoints (as text) that were touched no longer than `ttlMs` ago, by id.
   * @throws ERR_DISCOVERY
   */
  async list(wanted: ReadonlySet<string>, now: number, ttlMs: number): Promise<readonly Instance[]> {
    const names = (await this.files.list()).filter((name) => isWanted(name, wanted));
    const records = await Promise.all(names.map((name) => this.#instance(name, now - ttlMs)));
    this.#forget(new Set(names), wanted);
    // The name finds a record, the record says what it is: Dynamo reads both so.
    const found = records.filter((instance) => instance !== undefined);
    return found.filter((instance) => wanted.has(endpointText(instance))).sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
  }

  async #instance(fileName: string, oldest: number): Promise<Instance | undefined> {
    const state = await this.files.state(fileName);
    if (state === undefined || state.mtimeMs < oldest) return undefined;
    const known = this.#known.get(fileName);
    if (known !== undefined && sameState(known.state, state)) return known.instance;
    const content = await this.files.read(fileName);
    if (content === undefined) return undefined;
    // The same object for the same content: who watches can tell a keep-alive from a change.
    const instance = known?.content.equals(content) === true ? known.instance : this.#decode(fileName, content);
    this.#known.set(fileName, { state, content, instance });
    return instance;
  }

  #decode(fileName: string, content: Buffer): Instance | undefined {
    const record = decodeInstance(content);
    if (record.kind === 'broken') this.complain(this.files.pathOf(fileName), record.reason);
    return record.kind === 'instance' ? record.instance : undefined;
  }

  #forget(present: ReadonlySet<string>, wanted: ReadonlySet<string>): void {
    for (const name of this.#known.keys()) if (!present.has(name) && isWanted(name, wanted)) this.#known.delete(name);
  }
}

function isWanted(fileName: string, wanted: ReadonlySet<string>): boolean {
  const name = parseFileName(fileName);
  return name !== undefined && wanted.has(endpointText(name));
}

function sameState(a: FileState, b: FileState): boolean {
  return a.mtimeMs === b.mtimeMs && a.size === b.size && a.inode === b.inode;
}
