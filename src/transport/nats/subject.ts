import { invalidOption } from '../../internal/index.js';
import type { EndpointName } from '../discovery/index.js';

/** One or more parts between dots, without what a NATS subject cannot hold. */
const PARTS = /^[^\s.*>]+(?:\.[^\s.*>]+)*$/;

/**
 * The subject of an instance on Dynamo's NATS request plane: `<namespace>_<component>.<endpoint>-<instance id in lower hex>`.
 * Names go as they are written: its sources speak of lower case and slugs, running workers of 1.2 to 1.6 have neither.
 * @throws ERR_OPTION_INVALID for a name that no subject can hold: white space, `*`, `>`, an empty part.
 */
export function natsSubject(name: EndpointName, instanceId: bigint): string {
  for (const part of ['namespace', 'component', 'endpoint'] as const) {
    if (!PARTS.test(name[part])) throw invalidOption(part, 'a name that a NATS subject can hold', name[part]);
  }
  return `${name.namespace}_${name.component}.${name.endpoint}-${instanceId.toString(16)}`;
}
