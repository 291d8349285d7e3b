import { invalidOption } from '../../internal/index.js';
import type { EndpointName } from '../discovery/index.js';

/**
 * The subject that an instance serves on Dynamo's NATS request plane: `<namespace>_<component>.<endpoint>-<instance id in lower
 * hex>`, namespace and component in lower case with `_` for everything but letters, digits, `-` and `_`.
 *
 * Running workers of 1.5 and 1.6 subscribe to this one but announce the names as they are written: with a capital in them no
 * Dynamo client reaches the worker (docs/interop.md). Ours announces what it serves.
 * @throws ERR_OPTION_INVALID for an endpoint name that no subject can hold: white space, `*`, `>`, an empty part.
 */
export function natsSubject({ namespace, component, endpoint }: EndpointName, instanceId: bigint): string {
  if (!/^[^\s.*>]+(?:\.[^\s.*>]+)*$/.test(endpoint)) throw invalidOption('endpoint', 'a name that a NATS subject can hold', endpoint);
  return `${slug(`${namespace}_${component}`)}.${endpoint}-${instanceId.toString(16)}`;
}

/** Dynamo's slug of a service name. */
function slug(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9_-]/gu, '_').replace(/^_+/, '');
}
