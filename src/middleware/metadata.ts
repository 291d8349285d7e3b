import { DynamoTracingError } from '../errors/index.js';
import type { CarrierReader } from '../trace-context/index.js';

const PREFIX = 'x-dynamo-meta-';
/** Dynamo's limits: entries, and bytes of keys and values together. */
const MAX_ENTRIES = 64;
const MAX_BYTES = 64 * 1024;

/**
 * The `x-dynamo-meta-*` headers as metadata for workers: prefix stripped, values trimmed, the first of several wins. The key
 * `authorization` and values that begin with `bearer ` are left out, as Dynamo does.
 * @throws ERR_METADATA_TOO_LARGE beyond 64 entries or 64 KiB
 */
export function readMetadata(headers: CarrierReader): Readonly<Record<string, string>> {
  const metadata = Object.create(null) as Record<string, string>;
  let entries = 0;
  let bytes = 0;
  for (const name of headers.keys()) {
    const lower = name.toLowerCase();
    if (!lower.startsWith(PREFIX)) continue;
    const key = lower.slice(PREFIX.length);
    const given = headers.get(name);
    const value = (typeof given === 'string' ? given : (given?.[0] ?? '')).trim();
    if (key === '' || key === 'authorization' || value.toLowerCase().startsWith('bearer ')) continue;
    entries += 1;
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    if (entries > MAX_ENTRIES || bytes > MAX_BYTES) {
      throw new DynamoTracingError('ERR_METADATA_TOO_LARGE', `${PREFIX}* headers exceed ${MAX_ENTRIES} entries or ${MAX_BYTES} bytes`, { entries, bytes, status: 431 });
    }
    metadata[key] = value;
  }
  return metadata;
}
