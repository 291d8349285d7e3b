import { isObject } from '../../../protocol/index.js';
import { byInstanceId, decodeInstance, endpointText, type EndpointName, type Instance } from '../record.js';
import type { EtcdClient } from './client.js';
import type { Fields } from './http.js';
import { prefixOf, rangeOf } from './keys.js';

/** What {@link EtcdInstances} needs of its owner. */
export interface InstancesOwner {
  readonly client: EtcdClient;
  /** Told about each record that is broken. */
  onBroken(path: string, reason: string): void;
}

export interface ReadOptions {
  /** Nothing tells changes now: the list counts whatever its revision, as the cluster may be another. */
  readonly anew?: boolean;
  /** Nobody waits for it. */
  readonly background?: boolean;
}

/** A record as it was last read. */
interface Known {
  /** In base64, as it came. */
  readonly value: string;
  readonly instance: Instance | undefined;
}

/**
 * The instances of one endpoint as etcd tells them: a whole list, then changes. Everything is taken in the order of etcd's revisions,
 * whichever answer comes first: what is older than what is known is left out.
 */
export class EtcdInstances {
  readonly prefix: string;
  readonly #name: string;
  #known = new Map<string, Known>();
  #revision = 0n;

  constructor(
    name: EndpointName,
    private readonly owner: InstancesOwner,
  ) {
    this.prefix = prefixOf('instances', name);
    this.#name = endpointText(name);
  }

  /** The live ones, by id. */
  get list(): readonly Instance[] {
    const instances = [...this.#known.values()].map(({ instance }) => instance).filter((instance) => instance !== undefined);
    return instances.sort(byInstanceId);
  }

  /** The revision that the list is of. */
  get revision(): bigint {
    return this.#revision;
  }

  /**
   * Reads the whole list.
   * @returns whether it is another than what was known
   * @throws ERR_DISCOVERY
   */
  async read({ anew = false, background = false }: ReadOptions = {}): Promise<boolean> {
    const answer = await this.owner.client.call('kv/range', rangeOf(this.prefix), background);
    const revision = revisionOf(isObject(answer['header']) ? answer['header']['revision'] : undefined);
    if (!anew && revision < this.#revision) return false;
    this.#revision = revision;
    const before = this.#known;
    this.#known = new Map();
    for (const kv of objects(answer['kvs'])) this.#put(kv, before);
    return this.#known.size !== before.size || [...this.#known].some(([key, known]) => before.get(key) !== known);
  }

  /** Takes the events of a watch. */
  take(message: Fields): void {
    const known = this.#revision;
    for (const { type, kv } of objects(message['events'])) {
      const revision = isObject(kv) ? revisionOf(kv['mod_revision']) : 0n;
      // One transaction changes several keys at one revision.
      if (!isObject(kv) || revision <= known) continue;
      this.#revision = revision;
      if (type === 'DELETE') this.#known.delete(String(kv['key']));
      else this.#put(kv, this.#known);
    }
  }

  /** The same object for the same content: who watches can tell what has changed. */
  #put({ key, value }: Fields, before: ReadonlyMap<string, Known>): void {
    const [name, content] = [String(key), typeof value === 'string' ? value : ''];
    const known = before.get(name);
    this.#known.set(name, known?.value === content ? known : { value: content, instance: this.#decode(name, content) });
  }

  /** The key finds a record, the record says what it is: Dynamo reads both so. */
  #decode(key: string, value: string): Instance | undefined {
    const decoded = decodeInstance(Buffer.from(value, 'base64'));
    if (decoded.kind === 'broken') this.owner.onBroken(Buffer.from(key, 'base64').toString('utf8'), decoded.reason);
    return decoded.kind === 'record' && endpointText(decoded.record) === this.#name ? decoded.record : undefined;
  }
}

export function objects(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? (value as readonly unknown[]).filter(isObject) : [];
}

function revisionOf(value: unknown): bigint {
  return typeof value === 'string' && /^\d{1,19}$/.test(value) ? BigInt(value) : 0n;
}
