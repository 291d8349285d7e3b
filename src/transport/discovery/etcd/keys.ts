import { instanceKey, type EndpointName } from '../record.js';
import type { Bucket, RecordKey } from '../record-store.js';

/** The key of a record in etcd: Dynamo's own, unescaped. */
export function keyText({ bucket, key }: RecordKey): string {
  return `v1/${bucket}/${key}`;
}

/** What the keys of an endpoint's records begin with. */
export function prefixOf(bucket: Bucket, name: EndpointName): string {
  return keyText({ bucket, key: instanceKey(name, 0n).slice(0, -1) });
}

/** As etcd's JSON gateway takes keys and values. */
export function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** All keys that begin with `prefix`, which ends with a slash: up to the sign that comes after it. */
export function rangeOf(prefix: string): { readonly key: string; readonly range_end: string } {
  return { key: base64(prefix), range_end: base64(`${prefix.slice(0, -1)}0`) };
}
