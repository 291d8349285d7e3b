import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { DynamoTracingError, isDynamoTracingError } from '../../../errors/index.js';
import { booleanOption, invalidOption, optionalOption, readOptions, type Environment, type OptionReader } from '../../../internal/index.js';
import { readLogger, type Log, type LoggerOption } from '../../../logging/index.js';
import type { PayloadCodecName } from '../../../protocol/index.js';
import { durationOption } from '../../deadline.js';
import { codecFromEnv } from '../draft.js';

/** Options of {@link EtcdDiscovery}. */
export interface EtcdDiscoveryOptions {
  /** URLs of etcd's members, in a list or with commas between them; they are tried in turn. Default ETCD_ENDPOINTS, else `http://localhost:2379`. */
  readonly endpoints?: string | readonly string[] | undefined;
  /** Milliseconds after which the records of a process that has died expire. etcd counts whole seconds and may lengthen it. Default 30000, at least 2000. */
  readonly ttlMs?: number | undefined;
  /** Milliseconds between readings of a watched endpoint's list, beside what the watch tells: a member that hangs tells nothing. Default 10000, at least 20. */
  readonly rescanMs?: number | undefined;
  /** Longest wait for an answer of one member, in milliseconds. Default 5000. */
  readonly requestTimeoutMs?: number | undefined;
  /** User of etcd. Default ETCD_AUTH_USERNAME, else none. */
  readonly username?: string | undefined;
  /** Password of the user. Default ETCD_AUTH_PASSWORD. */
  readonly password?: string | undefined;
  /** CA that members of `https:` URLs are verified with: PEM text, or the path of a file. Default ETCD_AUTH_CA, else the system's. */
  readonly ca?: string | undefined;
  /** Certificate that is shown to etcd: PEM text, or the path of a file. Default ETCD_AUTH_CLIENT_CERT, else none. */
  readonly cert?: string | undefined;
  /** Key of `cert`: PEM text, or the path of a file. Default ETCD_AUTH_CLIENT_KEY. */
  readonly key?: string | undefined;
  /** Skip the verification of members: for development only. Default false. */
  readonly insecure?: boolean | undefined;
  /** Takes warnings: broken records, a lease that was lost, etcd out of reach. Default: the package's logger; false is silence. */
  readonly logger?: LoggerOption | undefined;
  /** Variables that the defaults are read from. Default process.env. */
  readonly env?: Environment | undefined;
}

/** How etcd is reached. */
export interface EtcdAccess {
  readonly endpoints: readonly URL[];
  readonly requestTimeoutMs: number;
  readonly user: { readonly name: string; readonly password: string } | undefined;
  readonly tls: { readonly secureContext: SecureContext; readonly rejectUnauthorized: boolean };
}

export interface EtcdSettings extends EtcdAccess {
  readonly ttlSeconds: number;
  readonly rescanMs: number;
  readonly log: Log;
  /** Codec of announcements that name none. */
  readonly codec: PayloadCodecName;
}

/** A text, from the option or the variable; an error names whichever it came from. */
interface Given {
  readonly text: string;
  readonly from: string;
  readonly variable: boolean;
}

function given(env: Environment, variable: string): OptionReader<Given | undefined> {
  return (value, path) => {
    if (value !== undefined && (typeof value !== 'string' || value === '')) throw invalidOption(path, 'a text that is not empty', value);
    const text = value ?? env[variable];
    return text === undefined || text === '' ? undefined : { text, from: value === undefined ? variable : path, variable: value === undefined };
  };
}

function spec(env: Environment) {
  return {
    endpoints: (value: unknown, path: string) => given(env, 'ETCD_ENDPOINTS')(Array.isArray(value) ? value.join(',') : value, path),
    ttlMs: durationOption(30_000, { min: 2000 }),
    rescanMs: durationOption(10_000, { min: 20 }),
    requestTimeoutMs: durationOption(5000, { min: 1 }),
    username: given(env, 'ETCD_AUTH_USERNAME'),
    password: given(env, 'ETCD_AUTH_PASSWORD'),
    ca: given(env, 'ETCD_AUTH_CA'),
    cert: given(env, 'ETCD_AUTH_CLIENT_CERT'),
    key: given(env, 'ETCD_AUTH_CLIENT_KEY'),
    insecure: booleanOption(false),
    logger: readLogger,
    env: optionalOption<Environment>('an object', (value) => typeof value === 'object' && value !== null),
  };
}

/** @throws ERR_OPTION_INVALID, ERR_ENV_INVALID: also when one of a pair is missing, or a file cannot be read or used */
export function readEtcdOptions(options: EtcdDiscoveryOptions = {}): EtcdSettings {
  const env = (options as EtcdDiscoveryOptions | null)?.env ?? process.env;
  const { endpoints, ttlMs, rescanMs, requestTimeoutMs, username, password, ca, cert, key, insecure, logger } = readOptions('etcdDiscovery', spec(env), options);
  const user = pair(username, password, 'username and password');
  const identity = pair(cert, key, 'cert and key');
  return Object.freeze({
    endpoints: readEndpoints(endpoints ?? { text: 'http://localhost:2379', from: 'etcdDiscovery.endpoints', variable: false }),
    requestTimeoutMs,
    user: user && { name: user[0].text, password: user[1].text },
    tls: { secureContext: secureContext(ca, identity), rejectUnauthorized: !insecure },
    ttlSeconds: Math.ceil(ttlMs / 1000),
    rescanMs,
    log: logger,
    codec: codecFromEnv(env),
  });
}

function readEndpoints(source: Given): readonly URL[] {
  const texts = source.text.split(',').map((text) => text.trim()).filter((text) => text !== '');
  const urls = texts.map((text) => {
    // Dynamo takes `host:port` for plain HTTP.
    const url = text.includes('://') ? text : `http://${text}`;
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw refuse(source, `must hold URLs of http: or https:, got ${JSON.stringify(text.slice(0, 64))}`);
    return new URL(url);
  });
  if (urls.length === 0) throw refuse(source, 'must hold at least one URL');
  return urls;
}

function pair(first: Given | undefined, second: Given | undefined, names: string): readonly [Given, Given] | undefined {
  if (first !== undefined && second !== undefined) return [first, second];
  const lonely = first ?? second;
  if (lonely === undefined) return undefined;
  throw refuse(lonely, `is one of a pair: ${names} go together`);
}

function secureContext(ca: Given | undefined, identity: readonly [Given, Given] | undefined): SecureContext {
  const trusted = ca && pem(ca, (text) => new X509Certificate(text));
  return createSecureContext({ ...identity && readIdentity(identity), ...(trusted === undefined ? {} : { ca: trusted }) });
}

/** Each part is tried on its own first, so that the error names the one at fault. */
function readIdentity([certificate, privateKey]: readonly [Given, Given]): { readonly cert: string; readonly key: string } {
  const cert = pem(certificate, (text) => createSecureContext({ cert: text }));
  return { cert, key: pem(privateKey, (text) => createSecureContext({ cert, key: text })) };
}

/** Dynamo puts the PEM text itself into its variables; a path is what people expect to put there. */
function pem(source: Given, parse: (text: string) => unknown): string {
  try {
    const text = source.text.includes('-----BEGIN ') ? source.text : readFileSync(source.text, 'utf8');
    parse(text);
    return text;
  } catch (cause) {
    throw isDynamoTracingError(cause) ? cause : refuse(source, 'must be PEM text, or the path of a PEM file, that can be used', cause);
  }
}

function refuse({ from, variable }: Given, problem: string, cause?: unknown): DynamoTracingError {
  return new DynamoTracingError(variable ? 'ERR_ENV_INVALID' : 'ERR_OPTION_INVALID', `${from} ${problem}`, { ...(variable ? { variable: from } : { path: from }), cause });
}
