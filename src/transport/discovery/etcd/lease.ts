import { DynamoTracingError } from '../../../errors/index.js';
import { isObject } from '../../../protocol/index.js';
import { ReconnectPause } from '../../sockets.js';
import type { RecordKey, RecordStore, StoredRecord } from '../record-store.js';
import { isLeaseGone, isLeaseTaken, type EtcdClient } from './client.js';
import type { Fields } from './http.js';
import { base64, keyText } from './keys.js';

/** What {@link EtcdLease} needs of its owner. */
export interface LeaseOwner {
  readonly client: EtcdClient;
  readonly ttlSeconds: number;
  /** The lease was lost with all its records: they are to be written again. @throws when they could not be */
  onLost(lease: EtcdLease): Promise<void>;
  /** Told when etcd cannot be reached, once until it can be again. */
  complain(lease: EtcdLease, error: unknown): void;
  /** Nobody uses the lease any more. */
  onEnd(lease: EtcdLease): void;
}

/**
 * The lease of one instance id, with the records under it: granted for the first, kept alive, revoked after the last. Its id is the
 * instance's (the same 64 bits, signed), as in Dynamo, also when it was lost and is granted anew. Only where etcd has a lease of that
 * id already, a dead process's, etcd chooses another: nothing of Dynamo's looks a lease up by an instance.
 */
export class EtcdLease implements RecordStore {
  readonly #pause = new ReconnectPause(() => void this.#renew());
  /** Announcements that have their records here. */
  #users = 0;
  #ended = false;
  #granted: Promise<string> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Its records are gone, and not all of them written again. */
  #lost = false;
  #renewing = false;
  #complained = false;

  constructor(
    readonly instanceId: bigint,
    private readonly owner: LeaseOwner,
  ) {}

  /** Takes the lease for one announcement: until its `publish` fails or `remove` is called. */
  use(): this {
    this.#users += 1;
    return this;
  }

  pathOf(record: RecordKey): string {
    return keyText(record);
  }

  async publish(records: readonly StoredRecord[]): Promise<void> {
    try {
      await this.#under((lease) => this.#create(records, lease));
    } catch (error) {
      if (this.#leave()) await this.#revoke().catch(() => undefined);
      throw error;
    }
  }

  async replace(record: StoredRecord): Promise<void> {
    await this.#under((lease) => this.#put([record], lease));
  }

  /** Called when the lease was lost: writes the records under the new one. */
  async keepAlive(records: readonly StoredRecord[]): Promise<boolean> {
    await this.#under((lease) => this.#put(records, lease));
    return false;
  }

  /** Revoking the lease removes all that is under it, in one step. */
  async remove(records: readonly RecordKey[]): Promise<void> {
    if (this.#leave()) await this.#revoke();
    else await this.owner.client.call('kv/txn', { success: records.map((record) => ({ request_delete_range: { key: base64(keyText(record)) } })) });
  }

  /** @returns whether that was the last user */
  #leave(): boolean {
    this.#users -= 1;
    if (this.#users > 0) return false;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#pause.clear();
    this.owner.onEnd(this);
    return true;
  }

  async #revoke(): Promise<void> {
    const id = await this.#granted?.catch(() => undefined);
    if (id === undefined) return;
    try {
      await this.owner.client.call('lease/revoke', { ID: id });
    } catch (error) {
      if (!isLeaseGone(error)) throw error;
    }
  }

  /** Does something under the lease; once more under a new one when etcd does not know it any more. */
  async #under<T>(step: (lease: string) => Promise<T>): Promise<T> {
    const granted = this.#grant();
    try {
      return await step(await granted);
    } catch (error) {
      if (!isLeaseGone(error)) throw error;
      this.#forget(granted);
      return step(await this.#grant());
    }
  }

  /** What else was under the lease is gone too. */
  #forget(granted: Promise<string> | undefined): void {
    if (this.#granted !== granted) return;
    this.#granted = undefined;
    this.#lost = true;
    void this.#renew();
  }

  #grant(): Promise<string> {
    this.#granted ??= this.#ask(BigInt.asIntN(64, this.instanceId)).then(
      (answer) => {
        this.#schedule(answer);
        return String(answer['ID']);
      },
      (error: unknown) => {
        this.#granted = undefined;
        throw error;
      },
    );
    return this.#granted;
  }

  async #ask(id: bigint): Promise<Fields> {
    const wish = { TTL: String(this.owner.ttlSeconds) };
    try {
      return await this.owner.client.call('lease/grant', { ...wish, ID: String(id) });
    } catch (error) {
      if (!isLeaseTaken(error)) throw error;
      return this.owner.client.call('lease/grant', wish);
    }
  }

  /** All of them, or none. A request that was sent twice, because its answer was lost, finds its own records. */
  async #create(records: readonly StoredRecord[], lease: string): Promise<void> {
    const keys = records.map((record) => base64(keyText(record)));
    const answer = await this.owner.client.call('kv/txn', {
      compare: keys.map((key) => ({ key, target: 'VERSION', result: 'EQUAL', version: '0' })),
      success: puts(records, lease),
      failure: keys.map((key) => ({ request_range: { key } })),
    });
    if (answer['succeeded'] === true || ranges(answer).every((there) => there['lease'] === lease)) return;
    const path = keyText(records[0] as StoredRecord);
    throw new DynamoTracingError('ERR_DISCOVERY', `${path} is there already: another process has announced this instance`, { path });
  }

  async #put(records: readonly StoredRecord[], lease: string): Promise<void> {
    await this.owner.client.call('kv/txn', { success: puts(records, lease) });
  }

  /** The next keep-alive, a third of the time to live from now. */
  #schedule({ TTL: ttl }: Fields): void {
    clearTimeout(this.#timer);
    if (!this.#ended) this.#timer = setTimeout(() => void this.#renew(), Number(ttl) * 1000 / 3).unref();
  }

  async #renew(): Promise<void> {
    if (this.#renewing || this.#ended) return;
    this.#renewing = true;
    try {
      if (!this.#lost) await this.#keepLease();
      if (this.#lost) await this.#restore();
      this.#pause.succeeded();
      this.#complained = false;
    } catch (error) {
      this.#onFailure(error);
    } finally {
      this.#renewing = false;
    }
  }

  async #keepLease(): Promise<void> {
    const granted = this.#granted ?? this.#grant();
    const answer = await this.owner.client.call('lease/keepalive', { ID: await granted }, true);
    // Without a time to live there is no such lease.
    if (answer['TTL'] === undefined) this.#forget(granted);
    else this.#schedule(answer);
  }

  async #restore(): Promise<void> {
    this.#lost = false;
    try {
      await this.owner.onLost(this);
    } catch (error) {
      this.#lost = true;
      throw error;
    }
  }

  #onFailure(error: unknown): void {
    if (this.#ended) return;
    if (!this.#complained) this.owner.complain(this, error);
    this.#complained = true;
    this.#pause.failed();
  }
}

function puts(records: readonly StoredRecord[], lease: string): readonly unknown[] {
  return records.map((record) => ({ request_put: { key: base64(keyText(record)), value: base64(record.content), lease } }));
}

/** What the reading half of a transaction has found, record by record. */
function ranges(answer: Fields): readonly Fields[] {
  const responses: readonly unknown[] = Array.isArray(answer['responses']) ? answer['responses'] : [];
  return responses.map((response) => {
    const range = isObject(response) ? response['response_range'] : undefined;
    const [first] = isObject(range) && Array.isArray(range['kvs']) ? (range['kvs'] as readonly unknown[]) : [];
    return isObject(first) ? first : {};
  });
}
