import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { DynamoTracingError } from '../errors/index.js';
import { booleanOption, envInteger, invalidOption, isTruthy, optionalOption, readOptions, type Environment, type OptionReader } from '../internal/index.js';
import { durationOption } from './deadline.js';

/**
 * TLS of both planes. Paths are PEM files, read and parsed once, at start-up. A listener speaks TLS when it has certificate and key; a connection
 * when it has a CA, `insecure` or a client certificate.
 */
export interface TlsOptions {
  /** Certificate of listeners. Default DYN_TCP_TLS_CERT_PATH. Needs `keyPath`. */
  readonly certPath?: string | undefined;
  /** Key of listeners. Default DYN_TCP_TLS_KEY_PATH. */
  readonly keyPath?: string | undefined;
  /** Listeners demand client certificates of this CA. Default DYN_TCP_TLS_CLIENT_CA_CERT_PATH. */
  readonly clientCaCertPath?: string | undefined;
  /** CA that connections trust. Default DYN_TCP_TLS_CA_CERT_PATH. */
  readonly caCertPath?: string | undefined;
  /** Connections skip verification: for development only. Default DYN_TCP_TLS_INSECURE. */
  readonly insecure?: boolean | undefined;
  /** Name that connections ask for and verify. Default DYN_TCP_TLS_SERVER_NAME, else the IP address. */
  readonly serverName?: string | undefined;
  /** Certificate that connections present. Default DYN_TCP_TLS_CLIENT_CERT_PATH. Needs `clientKeyPath`. */
  readonly clientCertPath?: string | undefined;
  /** Key of `clientCertPath`. Default DYN_TCP_TLS_CLIENT_KEY_PATH. */
  readonly clientKeyPath?: string | undefined;
  /** Longest handshake in milliseconds. Default DYN_TCP_TLS_HANDSHAKE_TIMEOUT_SECS, else 3000. */
  readonly handshakeTimeoutMs?: number | undefined;
}

/** A file's path, from the option or the variable; the error names whichever it came from. */
interface PemSource {
  readonly path: string;
  readonly from: string;
  readonly variable: boolean;
}

function pathOption(env: Environment, variable: string): OptionReader<PemSource | undefined> {
  return (value, path) => {
    if (value !== undefined && (typeof value !== 'string' || value === '')) throw invalidOption(path, 'the path of a PEM file', value);
    if (value !== undefined) return { path: value, from: path, variable: false };
    const fromEnv = env[variable];
    return fromEnv === undefined || fromEnv === '' ? undefined : { path: fromEnv, from: variable, variable: true };
  };
}

function spec(env: Environment) {
  return {
    certPath: pathOption(env, 'DYN_TCP_TLS_CERT_PATH'),
    keyPath: pathOption(env, 'DYN_TCP_TLS_KEY_PATH'),
    clientCaCertPath: pathOption(env, 'DYN_TCP_TLS_CLIENT_CA_CERT_PATH'),
    caCertPath: pathOption(env, 'DYN_TCP_TLS_CA_CERT_PATH'),
    insecure: booleanOption(isTruthy(env['DYN_TCP_TLS_INSECURE'])),
    serverName: optionalOption<string>('a name', (value) => typeof value === 'string' && value !== ''),
    clientCertPath: pathOption(env, 'DYN_TCP_TLS_CLIENT_CERT_PATH'),
    clientKeyPath: pathOption(env, 'DYN_TCP_TLS_CLIENT_KEY_PATH'),
    handshakeTimeoutMs: durationOption(envInteger(env, 'DYN_TCP_TLS_HANDSHAKE_TIMEOUT_SECS', 3, { min: 1, max: 2_000_000 }) * 1000, { min: 1 }),
  };
}

/** TLS of listeners and of connections, of which one context serves all; undefined is plain TCP. */
export type TlsSettings = ReturnType<typeof readTlsSettings>;

/** @throws ERR_OPTION_INVALID, ERR_ENV_INVALID: also when one of a pair is missing, or a file cannot be read or used; `file` is its path */
export function readTlsSettings(owner: string, options: TlsOptions | undefined, env: Environment) {
  const read = readOptions(owner, spec(env), options);
  const serverPair = pair(read.certPath, read.keyPath, `${owner}.certPath and keyPath`);
  const clientPair = pair(read.clientCertPath, read.clientKeyPath, `${owner}.clientCertPath and clientKeyPath`);
  if (read.clientCaCertPath !== undefined && serverPair === undefined) throw refuse(read.clientCaCertPath, 'needs a certificate and a key of the listener');
  if (clientPair !== undefined && read.caCertPath === undefined && !read.insecure) throw refuse(clientPair.cert, 'needs a CA to verify workers with, or insecure');
  const name = read.serverName ?? env['DYN_TCP_TLS_SERVER_NAME'];
  const wantsClient = read.caCertPath !== undefined || read.insecure;
  return {
    server: serverPair && { ...loadPair(serverPair), ca: loadCa(read.clientCaCertPath) },
    client: wantsClient
      ? { context: createSecureContext({ ...clientPair && loadPair(clientPair), ca: loadCa(read.caCertPath) }), insecure: read.insecure, serverName: name === '' ? undefined : name }
      : undefined,
    handshakeTimeoutMs: read.handshakeTimeoutMs,
  };
}

function pair(cert: PemSource | undefined, key: PemSource | undefined, names: string): { cert: PemSource; key: PemSource } | undefined {
  if (cert !== undefined && key !== undefined) return { cert, key };
  const lonely = cert ?? key;
  if (lonely === undefined) return undefined;
  throw refuse(lonely, `is one of a pair: ${names} go together`);
}

/** Each file is tried on its own first, so that the error names the one at fault. */
function loadPair(source: { readonly cert: PemSource; readonly key: PemSource }): { readonly cert: Buffer; readonly key: Buffer } {
  const cert = load(source.cert, (pem) => createSecureContext({ cert: pem }), 'holds no certificate that can be used');
  const key = load(source.key, (pem) => createSecureContext({ cert, key: pem }), 'holds no key that can be used with its certificate');
  return { cert, key };
}

/** Node takes a CA file without any certificate as an empty list, so each one is parsed here. */
function loadCa(source: PemSource | undefined): Buffer | undefined {
  return source && load(source, (pem) => {
    const certificates = pem.toString('latin1').match(/-----BEGIN [A-Z0-9 ]*CERTIFICATE-----[^-]*-----END [A-Z0-9 ]*CERTIFICATE-----/g) ?? [''];
    for (const certificate of certificates) new X509Certificate(certificate);
  }, 'holds no certificate that can be used');
}

function load(source: PemSource, parse: (pem: Buffer) => unknown, problem: string): Buffer {
  const pem = attempt(source, 'cannot be read', () => readFileSync(source.path));
  attempt(source, problem, () => parse(pem));
  return pem;
}

function attempt<T>(source: PemSource, problem: string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    throw refuse(source, `${problem}: ${source.path}`, cause);
  }
}

function refuse(source: PemSource, problem: string, cause?: unknown): DynamoTracingError {
  const facts = { ...(source.variable ? { variable: source.from } : { path: source.from }), file: source.path, cause };
  return new DynamoTracingError(source.variable ? 'ERR_ENV_INVALID' : 'ERR_OPTION_INVALID', `${source.from} ${problem}`, facts);
}
