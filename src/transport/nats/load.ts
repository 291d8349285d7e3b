import { needPackage } from '../../internal/index.js';
import type { NatsModule } from './client-types.js';

/** The NATS client that is looked for. */
export const NATS_PACKAGE = '@nats-io/transport-node';

let loaded: NatsModule | undefined;

/** The NATS client, looked for when it is first used. @throws ERR_DEPENDENCY_MISSING */
export function natsModule(): NatsModule {
  return (loaded ??= needPackage(NATS_PACKAGE, 'the NATS request plane') as NatsModule);
}
