import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { functionOption, optionalOption, readOptions, stringOption, type Environment, type OptionsOf } from '../../internal/index.js';
import { readLogger, type LoggerOption } from '../../logging/index.js';
import { isPayloadCodecName, type PayloadCodecName } from '../../protocol/index.js';
import { durationOption } from '../deadline.js';

/** Options of {@link FileDiscovery}. */
export interface FileDiscoveryOptions {
  /** Root of the file store. Default: DYN_FILE_KV, else `<tmpdir>/dynamo_store_kv`, as Dynamo has it. */
  readonly root?: string | undefined;
  /** Milliseconds after which a file that nobody touched stands for a dead worker. Default 10000, at least 1000, as Dynamo has it. */
  readonly ttlMs?: number | undefined;
  /** Milliseconds between readings of a watched directory, beside those that its events ask for. Default 1000, at least 20. */
  readonly rescanMs?: number | undefined;
  /** Takes warnings: broken records, failed keep-alives. Default: the package's logger; false is silence. */
  readonly logger?: LoggerOption | undefined;
  /** Milliseconds since 1970, compared with files' modification times. Default: Date.now; for tests. */
  readonly now?: (() => number) | undefined;
  /** Variables that the defaults of `root` and of an announced codec are read from. Default process.env. */
  readonly env?: Environment | undefined;
}

const SPEC = {
  root: stringOption(''),
  ttlMs: durationOption(10_000, { min: 1000 }),
  rescanMs: durationOption(1000, { min: 20 }),
  logger: readLogger,
  now: functionOption<() => number>(),
  env: optionalOption<Environment>('an object', (value) => typeof value === 'object' && value !== null),
};

export type FileDiscoverySettings = OptionsOf<typeof SPEC> & {
  /** Codec of announcements that name none. */
  readonly codec: PayloadCodecName;
};

/** @throws ERR_OPTION_INVALID */
export function readFileDiscoveryOptions(options: FileDiscoveryOptions | undefined): FileDiscoverySettings {
  const read = readOptions('fileDiscovery', SPEC, options);
  const env = read.env ?? process.env;
  const fromEnv = env['DYN_FILE_KV'] ?? '';
  const root = [read.root, fromEnv].find((path) => path !== '') ?? join(tmpdir(), 'dynamo_store_kv');
  // Dynamo's rule: unset, empty and anything else mean msgpack.
  const codec = env['DYN_REQUEST_PLANE_CODEC'];
  return Object.freeze({ ...read, root, codec: isPayloadCodecName(codec) ? codec : 'msgpack' });
}

/** Milliseconds between keep-alives: a third of the time to live, at least a second. */
export function keepAliveMs(ttlMs: number): number {
  return Math.max(ttlMs / 3, 1000);
}
