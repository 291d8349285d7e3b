import { DynamoTracingError } from '../../errors/index.js';
import { optionalOption, readOptions, type Environment } from '../../internal/index.js';
import { readLogger, type LoggerOption } from '../../logging/index.js';
import type { Discovery } from './discovery.js';
import { EtcdDiscovery } from './etcd/discovery.js';
import { FileDiscovery } from './file/discovery.js';

/** Options of {@link discoveryFromEnv}. */
export interface DiscoveryFromEnvOptions {
  /** Takes warnings. Default: the package's logger; false is silence. */
  readonly logger?: LoggerOption | undefined;
  /** Variables to read. Default process.env. */
  readonly env?: Environment | undefined;
}

const SPEC = {
  logger: (value: unknown, path: string) => void readLogger(value, path),
  env: optionalOption<Environment>('an object', (value) => typeof value === 'object' && value !== null),
};

/** Values that Dynamo has besides, and why they are not supported. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  kubernetes: 'docs/discovery.md says what it would take',
  mem: 'it would find the workers of this process alone',
};

/**
 * Discovery as Dynamo's own variables say: DYN_DISCOVERY_BACKEND is `etcd` (Dynamo's default, also when it is not set) or `file`; the
 * variables of {@link EtcdDiscovery} or {@link FileDiscovery} say the rest.
 * @throws ERR_ENV_INVALID for `kubernetes`, `mem` and unknown values, and as the constructors; ERR_OPTION_INVALID
 */
export function discoveryFromEnv(options: DiscoveryFromEnvOptions = {}): Discovery {
  const { env = process.env } = readOptions('discoveryFromEnv', SPEC, options);
  const backend = env['DYN_DISCOVERY_BACKEND'] ?? '';
  const { logger } = options;
  if (backend === '' || backend === 'etcd') return new EtcdDiscovery({ logger, env });
  if (backend === 'file') return new FileDiscovery({ logger, env });
  const reason = Object.hasOwn(UNSUPPORTED, backend) ? UNSUPPORTED[backend] : undefined;
  const problem = reason === undefined ? ` must be 'etcd' or 'file', got ${JSON.stringify(backend.slice(0, 64))}` : `=${backend} is not supported: ${reason}; use etcd or file`;
  throw new DynamoTracingError('ERR_ENV_INVALID', `DYN_DISCOVERY_BACKEND${problem}`, { variable: 'DYN_DISCOVERY_BACKEND' });
}
