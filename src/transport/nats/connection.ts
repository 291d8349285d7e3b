import { needPackage, optionalOption, type Environment } from '../../internal/index.js';
import type { NatsHeaders } from '../../trace-context/index.js';

// What is used of @nats-io/transport-node, spelled out: the published types must compile where it is not installed.

/** A message of a NATS client, as far as it is used here. */
export interface NatsMessage {
  readonly data: Uint8Array;
  readonly headers?: NatsHeaders;
  respond(payload?: Uint8Array | string): boolean;
}

/** A subscription of a NATS client, as far as it is used here. */
export interface NatsSubscription {
  drain(): Promise<void>;
}

/** A connected NATS client, as far as it is used here: `connect()` of `@nats-io/transport-node` gives one. */
export interface NatsConnection {
  readonly info?: { readonly max_payload: number };
  /** Sends a request and waits for the answer, at most `timeout` milliseconds. */
  request(subject: string, payload?: Uint8Array | string, options?: { timeout: number; headers?: NatsHeaders }): Promise<NatsMessage>;
  /** Takes the messages of a subject; one of a queue group gets each. */
  subscribe(subject: string, options?: { queue?: string; callback?: (error: Error | null, message: NatsMessage) => void }): NatsSubscription;
  /** Waits until the server has everything that was sent. */
  flush(): Promise<void>;
  /** Whether the connection is closed for good. */
  isClosed(): boolean;
  /** Closes the connection. */
  close(): Promise<void>;
}

/** The module `@nats-io/transport-node`, as far as it is used here. */
export interface NatsModule {
  /** Connects with the options of the client. */
  connect(options: Readonly<Record<string, unknown>>): Promise<NatsConnection>;
  /** An empty set of message headers. */
  headers(): NatsHeaders;
}

/** The NATS client that is looked for. */
const NATS_PACKAGE = '@nats-io/transport-node';

let loaded: NatsModule | undefined;

/** The modules that were handed in, by the connections that they made. */
const handedIn = new WeakMap<NatsConnection, NatsModule>();

/** The NATS client that made `connection`; else the one that is installed, looked for when it is first used. @throws ERR_DEPENDENCY_MISSING */
export function natsModule(connection?: NatsConnection): NatsModule {
  const given = connection === undefined ? undefined : handedIn.get(connection);
  return given ?? (loaded ??= needPackage(NATS_PACKAGE, 'the NATS request plane') as NatsModule);
}

/** Settings of {@link connectNats}: whatever `connect()` of `@nats-io/transport-node` takes, and `module`. */
export interface NatsConnectOptions extends Readonly<Record<string, unknown>> {
  /** The module `@nats-io/transport-node`, where it cannot be found at run time, as in a bundle. Default: the one that is installed. */
  readonly module?: NatsModule | undefined;
}

const moduleOption = optionalOption<NatsModule>('the module @nats-io/transport-node', (value) => typeof value === 'object' && value !== null && ['connect', 'headers'].every((name) => typeof (value as Record<string, unknown>)[name] === 'function'));

/**
 * Connects to NATS with `@nats-io/transport-node`. Where `options` say nothing, Dynamo's variables do: NATS_SERVER (default
 * `nats://localhost:4222`), and NATS_AUTH_USERNAME with NATS_AUTH_PASSWORD, else NATS_AUTH_TOKEN. The caller closes it.
 * @throws ERR_DEPENDENCY_MISSING; ERR_OPTION_INVALID for a `module` that is not it; what the client throws when it cannot connect
 */
export async function connectNats({ module, ...options }: NatsConnectOptions = {}): Promise<NatsConnection> {
  const given = moduleOption(module, 'connectNats.module');
  const connection = await (given ?? natsModule()).connect({ ...optionsFromEnv(process.env), ...options });
  if (given !== undefined) handedIn.set(connection, given);
  return connection;
}

/** @internal */
export function optionsFromEnv(env: Environment): NatsConnectOptions {
  const { NATS_SERVER: server, NATS_AUTH_USERNAME: user, NATS_AUTH_PASSWORD: pass, NATS_AUTH_TOKEN: token } = env;
  const servers = { servers: isSet(server) ? server : 'nats://localhost:4222' };
  if (isSet(user) && isSet(pass)) return { ...servers, user, pass };
  return isSet(token) ? { ...servers, token } : servers;
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}
