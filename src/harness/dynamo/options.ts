import { numberOption, optionalOption, readOptions, stringOption, type OptionsOf } from '../../internal/index.js';

/** Variables of a Dynamo process; undefined takes one away. */
export type DynamoEnvironment = Readonly<Record<string, string | undefined>>;

/** Options of `harness.dynamo()`. */
export interface DynamoOptions {
  /** A Python, command or path, whose environment has ai-dynamo. Default 'python3'. */
  readonly python?: string | undefined;
  /** Further arguments of Dynamo's frontend, e.g. `['--router-mode', 'kv']`. Default none. */
  readonly args?: readonly string[] | undefined;
  /** Variables over the harness's own, for the frontend and for what `run()` starts; undefined takes one away. Default none. */
  readonly env?: DynamoEnvironment | undefined;
  /** Working directory of its processes. Default: that of this process. */
  readonly cwd?: string | undefined;
  /** Models that it must serve before it counts as started. Default: those of the harness's workers. */
  readonly models?: readonly string[] | undefined;
  /** Longest wait until it serves them, in milliseconds. Default 30000. */
  readonly timeoutMs?: number | undefined;
  /** Its `service.name`, and its name in the audit. Default 'dynamo-frontend'. */
  readonly name?: string | undefined;
}

/** Options of `dynamo.run()`. */
export interface DynamoRunOptions {
  /** Its `service.name`. Default 'dynamo-worker'. */
  readonly name?: string | undefined;
  /** Variables over those of the frontend. Default none. */
  readonly env?: DynamoEnvironment | undefined;
}

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((text) => typeof text === 'string');
const environment = optionalOption<DynamoEnvironment>('an object of texts', (value) => typeof value === 'object' && value !== null && Object.values(value).every((text) => text === undefined || typeof text === 'string'));
const texts = optionalOption<readonly string[]>('an array of texts', isTexts);

const SPEC = {
  python: stringOption('python3'),
  args: texts,
  env: environment,
  cwd: optionalOption<string>('a path', (value) => typeof value === 'string' && value !== ''),
  models: texts,
  timeoutMs: numberOption(30_000, { min: 1 }),
  name: stringOption('dynamo-frontend'),
};

export type DynamoSettings = OptionsOf<typeof SPEC>;

/** @throws ERR_OPTION_INVALID */
export function readDynamoOptions(options?: DynamoOptions): DynamoSettings {
  return readOptions('dynamo', SPEC, options);
}

/** @throws ERR_OPTION_INVALID */
export function readRunOptions(options?: DynamoRunOptions): { readonly name: string; readonly env: DynamoEnvironment | undefined } {
  return readOptions('run', { name: stringOption('dynamo-worker'), env: environment }, options);
}
