import type { Environment } from '../../internal/index.js';
import type { NatsConnection } from './client-types.js';
import { natsModule } from './load.js';

/** Settings of {@link connectNats}: whatever `connect()` of `@nats-io/transport-node` takes. */
export type NatsConnectOptions = Readonly<Record<string, unknown>>;

/**
 * Connects to NATS with `@nats-io/transport-node`. Where `options` say nothing, Dynamo's variables do: NATS_SERVER (default
 * `nats://localhost:4222`), and NATS_AUTH_USERNAME with NATS_AUTH_PASSWORD, else NATS_AUTH_TOKEN. The caller closes it.
 * @throws ERR_DEPENDENCY_MISSING; what the client throws when it cannot connect
 */
export async function connectNats(options: NatsConnectOptions = {}): Promise<NatsConnection> {
  return natsModule().connect({ ...optionsFromEnv(process.env), ...options });
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
